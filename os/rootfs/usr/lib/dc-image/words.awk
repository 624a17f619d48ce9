# Splits the kernel line as the kernel does: blanks part words, but not within double quotes.
# Writes one word a line to `out` (without quotes, only dc. words, and not the join code), and the
# line as it may be shown to everybody, which is the line without the join code, to `shown`.

function word(raw,    plain) {
    plain = raw
    gsub(/"/, "", plain)
    if (plain ~ /^dc\.invite=/) {
        raw = "dc.invite="
    } else if (plain ~ /^dc\.[a-z-]+=/) {
        print plain > out
    }
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
