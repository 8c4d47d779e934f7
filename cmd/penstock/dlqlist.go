package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"

	"penstock/client"
)

// listLetters writes the letters that q asks for. It holds a page of them at a time.
func (p *program) listLetters(ctx context.Context, c *client.Client, q client.LetterQuery) error {
	switch p.format {
	case "ndjson":
		return eachLetter(ctx, c, q, func(l client.Letter) error { return p.printJSON(letterOutOf(l)) })
	case "json":
		return p.listLettersJSON(ctx, c, q)
	}
	t := &table{
		columns: []string{"place", "stream", "id", "key", "reason", "state", "since", "size", "detail"},
		right:   []bool{false, false, false, false, false, false, false, true, false},
	}
	return eachPage(ctx, c, q, func(page []client.Letter) error {
		for _, l := range page {
			t.add(l.Place, l.Stream, l.ID, l.Key, l.Reason, l.State, l.Since, l.Size, l.Detail)
		}
		return p.printPart(t)
	})
}

// listLettersJSON writes one object. If it fails half way, what was written is no JSON.
func (p *program) listLettersJSON(ctx context.Context, c *client.Client, q client.LetterQuery) error {
	before := `{"letters":[`
	err := eachPage(ctx, c, q, func(page []client.Letter) error {
		var b bytes.Buffer
		for _, l := range page {
			b.WriteString(before)
			before = ","
			to := json.NewEncoder(&b)
			to.SetEscapeHTML(false)
			if err := to.Encode(letterOutOf(l)); err != nil {
				return err
			}
			b.Truncate(b.Len() - 1) // the line break
		}
		_, err := p.stdout.Write(b.Bytes())
		return err
	})
	if err != nil {
		return err
	}
	if before == "," {
		before = ""
	}
	_, err = io.WriteString(p.stdout, before+"]}\n")
	return err
}
