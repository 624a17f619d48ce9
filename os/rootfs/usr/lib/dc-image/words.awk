# Splits the kernel line as the kernel does: blanks part words, but not within double quotes.
# Writes one word a line to `out` (without quotes, only dc. words, and not the join code), and the
# line as it may be shown to everybody, which is the line without the join code, to `shown`. A join
# code that stands where it should not is hidden as well.

function word(raw,    plain) {
    plain = raw
    gsub(/"/, "", plain)
    if (tolower(plain) ~ /^dc\.invite=|dc1-/) {
        sub(/=.*/, "=", plain)
        raw = tolower(plain) ~ /dc1-/ ? "dc1-" : plain
    } else if (plain ~ /^dc\.[a-z-]+=/ && !ended) {
        print plain > out
    }
    if (plain == "--") ended = 1 # what follows is for the first program
    line = line (line == "" ? "" : " ") raw
}

{ text = text " " $0 }

END {
    printf "" > out
    size = length(text)
    for (i = 1; i <= size; i++) {
        letter = substr(text, i, 1)
        if (letter == "\"") quoted = !quoted
        if (!quoted && letter ~ /[ \t]/) {
            if (raw != "") word(raw)
            raw = ""
        } else {
            raw = raw letter
        }
    }
    if (raw != "") word(raw)
    print line > shown
}
