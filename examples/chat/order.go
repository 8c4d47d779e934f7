package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"penstock/client"
	"penstock/internal/exampletest"
)

// inOrder reads conversations, whose messages are to be in the order in which they arrived, each once, whole.
func inOrder(ctx context.Context, s *exampletest.Server, arrived []message) error {
	n := 0
	for _, name := range []string{"room-000", "room-001", "room-002", "room-017", "room-123", "room-250"} {
		want := exampletest.Those(arrived, func(m message) bool { return m.Conversation == name })
		got, err := read(ctx, s, client.KeyQuery{Stream: "messages", Key: name, Limit: 700})
		if err != nil {
			return err
		}
		if len(want) == 0 || !slices.EqualFunc(got, want, message.same) {
			return fmt.Errorf("%s: its %d messages are not the %d that were sent, in their order", name, len(got), len(want))
		}
		newest, err := s.Client.KeyEvents(ctx, client.KeyQuery{Stream: "messages", Key: name, Newest: true, Limit: 20})
		if err != nil {
			return err
		}
		end, err := decode(newest.Events)
		if err != nil {
			return err
		}
		slices.Reverse(want)
		if !slices.EqualFunc(end, want[:min(20, len(want))], message.same) {
			return fmt.Errorf("%s: its newest messages are not the last that were sent", name)
		}
		n += len(want)
	}
	s.Step("%d messages of six conversations are in their order", n)
	return nil
}

// read returns all messages of a conversation, page by page.
func read(ctx context.Context, s *exampletest.Server, q client.KeyQuery) ([]message, error) {
	var all []message
	for {
		page, err := s.Client.KeyEvents(ctx, q)
		if err != nil {
			return nil, err
		}
		messages, err := decode(page.Events)
		if err != nil {
			return nil, err
		}
		all = append(all, messages...)
		if q.Cursor = page.Cursor; q.Cursor == "" {
			return all, nil
		}
	}
}

func decode(events []json.RawMessage) ([]message, error) {
	var all []message
	for _, e := range events {
		var one struct{ Data message }
		if err := json.Unmarshal(e, &one); err != nil {
			return nil, err
		}
		all = append(all, one.Data)
	}
	return all, nil
}

func (m message) same(other message) bool {
	at := other.At
	other.At = m.At
	return m == other && m.At.Equal(at)
}
