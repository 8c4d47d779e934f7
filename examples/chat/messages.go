package main

import (
	"fmt"
	"time"

	"penstock/internal/exampletest"
)

// message is one message, as it is sent.
type message struct {
	ID           string    `json:"id"`
	At           time.Time `json:"time"`
	Conversation string    `json:"conversation"`
	Author       string    `json:"author"`
	Text         string    `json:"text"`
}

const (
	messages      = 40_000
	conversations = 500
	authors       = 2_000
)

// happened returns eight hours' messages in the order in which they were written.
func happened() []message {
	r := exampletest.NewRand(13)
	conversation, author := exampletest.Zipf(r, 1.2, conversations), exampletest.Zipf(r, 1.1, authors)
	said := []string{"good morning", "schöne Grüße", "了解です", "\"quoted\" \\ and\nbroken", "😀 <b>&amp;</b>", ""}
	all := make([]message, messages)
	for i, at := range exampletest.Moments(r, messages, exampletest.Day(), 8*time.Hour) {
		all[i] = message{
			ID: fmt.Sprintf("m%06d", i), At: at, Conversation: fmt.Sprintf("room-%03d", conversation()),
			Author: fmt.Sprintf("author-%04d", author()), Text: fmt.Sprintf("%d: %s", i, said[r.IntN(len(said))]),
		}
	}
	return all
}
