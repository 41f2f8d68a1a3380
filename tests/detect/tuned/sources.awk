# SPDX-License-Identifier: Apache-2.0
# Sources of the analysis with thresholds that can be scaled while the program runs: every
# "#define NAME number" whose NAME stands in the tables of docs/detection.md becomes the number times
# tuned_scale[N]. Sizes of arrays stay as they are. The product is built from the sources themselves.
#
#   awk -v out=FOLDER -f tests/detect/tuned/sources.awk docs/detection.md server/analyze/*.c
#
# writes FOLDER/*.c and FOLDER/tuned_table.c.

BEGIN { count = 0 }

FILENAME ~ /\.md$/ {
    if ($0 ~ /^\| [a-z]+: `/) {
        split($0, cell, "|")
        n = split(cell[2], part, "`")
        for (i = 2; i <= n; i += 2)
            listed[part[i]] = 1
    }
    next
}

FNR == 1 {
    base = FILENAME
    sub(/.*\//, "", base)
    sub(/\.c$/, "", base)
    size = ""
    while ((getline line < FILENAME) > 0)
        size = size line "\n"
    close(FILENAME)
    to = out "/" base ".c"
    print "extern double tuned_scale[];" > to
    print "#line 1 \"" FILENAME "\"" > to
}

/^#define [A-Z][A-Z0-9_]+ +[-(0-9]/ && ($2 in listed) && !index(size, "[" $2 "]") && !/\\$/ {
    text = $0
    sub(/\/\*.*/, "", text)
    sub(/^#define +[A-Z0-9_]+ +/, "", text)
    sub(/ +$/, "", text)
    names[count] = base ": " $2
    printf "#define %s ((__typeof__(%s))((double)(%s) * tuned_scale[%d]))\n", $2, text, text, count++ > to
    if ($0 ~ /\/\*/ && $0 !~ /\*\//)
        print "/*" > to # its comment goes on
    next
}

{ print > to }

END {
    to = out "/tuned_table.c"
    print "#include \"tests/detect/tuned/table.h\"" > to
    printf "const size_t tuned_count = %d;\n", count > to
    print "double tuned_scale[] = {" > to
    for (i = 0; i < count; i++)
        print "1," > to
    print "0};\nconst char *const tuned_names[] = {" > to
    for (i = 0; i < count; i++)
        printf "\"%s\",\n", names[i] > to
    print "0};" > to
}
