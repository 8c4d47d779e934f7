// Package jsonscan checks JSON strictly and takes values out of it, in one pass over the bytes, without maps and without
// allocating. It is stricter than the grammar: names are unique within their object, text is UTF-8 without NUL, numbers
// fit the types that stores have, and depth, size and count have limits.
//
// A Scanner checks bytes that come from outside; Selector.Select reads bytes that a Scanner accepted before.
// docs/adr/002-json-scanner.md says why this is not a library.
package jsonscan
