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
LIBS-server := -lmicrohttpd -lgnutls -lcurl -ljansson -lpq -lzstd -lz -lsodium -lm -lpthread
LIBS-sim    := -lcurl -ljansson -lz -lm -lpthread
LIBS-test   := -lcheck -lsubunit -lrt -lm -lpthread

# The Windows agent. No DLL but the system's (-static); the oldest Windows each target loads on is
# Windows 7 (x64) and Server 2003 (x86): what is newer is resolved at run time. Link stamps and paths
# are left out so that the same source gives the same bytes.
WA := build/agent
MINGW-x64 := x86_64-w64-mingw32-
MINGW-x86 := i686-w64-mingw32-
CPPFLAGS-win := -I. -I$(WA)/gen -D_GNU_SOURCE -DWIN32_LEAN_AND_MEAN -DUNICODE -D_UNICODE -DWINVER=0x0A00 -D_WIN32_WINNT=0x0A00 \
                -DPOOLFLEET_VERSION='"$(VERSION)"' -include common/banned.h
CFLAGS-win := -std=gnu11 -Os -ffunction-sections -fdata-sections -fno-ident -fstack-protector-strong \
              $(WARNINGS) $(CFLAGS-werror-$(WERROR)) -ffile-prefix-map=$(CURDIR)=.
# x86 Windows does not use unwind tables; x64 does, for crash dumps.
CFLAGS-win-x64 :=
CFLAGS-win-x86 := -fno-asynchronous-unwind-tables -fno-unwind-tables
# -s and not strip afterwards, which would write a time stamp again.
LDFLAGS-win := -static -s -municode -fstack-protector-strong -Wl,--gc-sections -Wl,--no-insert-timestamp -Wl,--nxcompat -Wl,--dynamicbase
LDFLAGS-win-x64 := -Wl,--high-entropy-va -Wl,--subsystem,console:5.02
LDFLAGS-win-x86 := -Wl,--subsystem,console:4.00 -Wl,--large-address-aware
LIBS-win := -lz -lwinhttp -lcrypt32 -ladvapi32 -lole32 -lws2_32
# A place for signing: make agent SIGN='scripts/sign.sh' (see deploy/agent/README.md).
SIGN ?= :
comma := ,
DEFINES-rc := -DVERSION_TEXT='\"$(VERSION)\"' -DVERSION_WORDS=$(subst .,$(comma),$(VERSION)),0

Q-0 := @
Q-1 :=
Q    = $(Q-$(V))
say-0 = @printf '  %-7s %s\n' $(1) $(2)
say-1 = @:
say   = $(call say-$(V),$(1),$(2))
