# SPDX-License-Identifier: Apache-2.0
# Compilers, flags and versions. The choice is carried by variable names (CFLAGS-san-$(SAN)), not
# by branches. Override on the command line: make SAN=thread CC=clang V=1

VERSION := 0.1.0
CC      ?= gcc
ifeq ($(origin CC),default)
CC      := gcc
endif
CLANG   ?= clang
SAN     ?= no
V       ?= 0
WERROR  ?= 0

ifeq ($(filter $(SAN),no address undefined thread),)
$(error SAN=$(SAN) is unknown; use address, undefined, thread or no)
endif

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla \
            -Wformat=2 -Wwrite-strings -Wundef
CFLAGS-werror-0 :=
CFLAGS-werror-1 := -Werror

CFLAGS-san-no        := -O2 -g -D_FORTIFY_SOURCE=2
CFLAGS-san-address   := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
CFLAGS-san-undefined := -O1 -g -fsanitize=undefined -fno-sanitize-recover=undefined
CFLAGS-san-thread    := -O1 -g -fsanitize=thread
LDFLAGS-san-no        := -Wl,-z,relro,-z,now
LDFLAGS-san-address   := -fsanitize=address,undefined
LDFLAGS-san-undefined := -fsanitize=undefined
LDFLAGS-san-thread    := -fsanitize=thread

# Debian puts libpq's header in a folder of its own.
CPPFLAGS_ALL = -I. -I/usr/include/postgresql -D_GNU_SOURCE -DPOOLFLEET_VERSION='"$(VERSION)"' \
               -include common/banned.h $(CPPFLAGS)
CFLAGS_ALL   = -std=gnu11 -fstack-protector-strong -fPIE $(WARNINGS) $(CFLAGS-san-$(SAN)) \
               $(CFLAGS-werror-$(WERROR)) -ffile-prefix-map=$(CURDIR)=. $(CFLAGS)
LDFLAGS_ALL  = -pie $(LDFLAGS-san-$(SAN)) $(LDFLAGS)

LIBS-common := -ljansson -lm
LIBS-server := -lmicrohttpd -ljansson -lpq -lzstd -lz -lsodium -lm -lpthread
LIBS-sim    := -lcurl -ljansson -lz -lm -lpthread
LIBS-test   := -lcheck -lsubunit -lrt -lm -lpthread

Q-0 := @
Q-1 :=
Q    = $(Q-$(V))
say-0 = @printf '  %-7s %s\n' $(1) $(2)
say-1 = @:
say   = $(call say-$(V),$(1),$(2))
