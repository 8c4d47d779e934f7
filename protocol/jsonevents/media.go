package jsonevents

import (
	"bytes"
	"mime"
	"strings"

	"penstock"
	"penstock/internal/jsonscan"
)

// format is how a body is read.
type format int

const (
	document format = iota // one object or one array
	ndjson
	guess // one of them, whichever it looks like
)

const (
	jsonType   = "application/json"
	ndjsonType = "application/x-ndjson"
	formType   = "application/x-www-form-urlencoded" // what curl -d sends
)

// formatOf reads the content type. A missing one, and curl's default, is a guess unless a browser sends it: those are the types
// that a page of another site may post without being asked.
func formatOf(r *penstock.Request) (format, error) {
	switch r.ContentType {
	case jsonType, jsonType + "; charset=utf-8":
		return document, nil
	case ndjsonType:
		return ndjson, nil
	case "":
		if r.FromBrowser {
			return 0, unsupported(r)
		}
		return guess, nil
	}
	media, params, err := mime.ParseMediaType(r.ContentType)
	if err != nil {
		return 0, unsupported(r)
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return 0, unsupported(r)
	}
	switch {
	case media == jsonType:
		return document, nil
	case media == ndjsonType:
		return ndjson, nil
	case media == formType && !r.FromBrowser:
		return guess, nil
	}
	return 0, unsupported(r)
}

func unsupported(r *penstock.Request) error {
	sent := "without a content type"
	if r.ContentType != "" {
		sent = "of type " + jsonscan.Excerpt([]byte(r.ContentType))
	}
	stream := "STREAM"
	if r.Stream != nil {
		stream = r.Stream.Name
	}
	return penstock.Refusef("unsupported_media_type", "check content type",
		"a body %s is not read here; for UTF-8 JSON: curl -H 'Content-Type: %s' -d '{\"id\":\"1\"}' "+
			"http://127.0.0.1:7367/v1/streams/%s/events; for lines of JSON: -H 'Content-Type: %s' --data-binary @FILE",
		sent, jsonType, stream, ndjsonType)
}

// recognise tells NDJSON by its first line: a whole object, with something behind it.
func (d *decoder) recognise() format {
	line, rest, _ := bytes.Cut(d.r.Body[skipSpace(d.r.Body, 0):], newline)
	if len(line) == 0 || line[0] != '{' || skipSpace(rest, 0) == len(rest) {
		return document
	}
	n, _ := d.scanner.Scan(line, nil, nil)
	if n == 0 || skipSpace(line, n) < len(line) {
		return document
	}
	return ndjson
}

var newline = []byte("\n")

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}
