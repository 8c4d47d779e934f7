package main

import "strings"

// statementEnd returns where the first semicolon stands that ends a statement: outside of text, quoted names and
// comments. It returns -1 if there is none yet.
func statementEnd(sql string) int {
	for i := 0; i < len(sql); i++ {
		end := 0
		switch {
		case sql[i] == ';':
			return i
		case sql[i] == '\'' || sql[i] == '"':
			end = strings.IndexByte(sql[i+1:], sql[i])
		case strings.HasPrefix(sql[i:], "--"):
			end = strings.IndexByte(sql[i+1:], '\n')
		case strings.HasPrefix(sql[i:], "/*"):
			if end = strings.Index(sql[i+2:], "*/"); end >= 0 {
				end += 2
			}
		default:
			continue
		}
		if end < 0 {
			return -1
		}
		i += end + 1
	}
	return -1
}
