// Command chat shows what a messenger asks: the messages of a conversation in their order, and how many there are since a mark, which is a time or
// a receipt.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"penstock/client"
	"penstock/internal/exampletest"
)

func main() { exampletest.Main("chat", play) }

type (
	table = exampletest.Table[message]
	cell  = exampletest.Cell
	row   = exampletest.Row
)

func play(ctx context.Context, s *exampletest.Server) error {
	all := happened()
	sent := exampletest.Arrivals(exampletest.NewRand(14), all, func(m message) time.Time { return m.At })
	mark := len(sent) * 3 / 4
	if err := exampletest.Send(ctx, s, "messages", sent[:mark]); err != nil {
		return err
	}
	before, err := counts(ctx, s)
	if err != nil {
		return err
	}
	if err := exampletest.Send(ctx, s, "messages", sent[mark:]); err != nil {
		return err
	}
	arrived := exampletest.Once(sent, func(m message) string { return m.ID })
	known := exampletest.Once(sent[:mark], func(m message) string { return m.ID })
	if err := sinceReceipt(ctx, s, before, arrived[len(known):]); err != nil {
		return err
	}
	if err := s.Ask(ctx, questions(all)...); err != nil {
		return err
	}
	return inOrder(ctx, s, arrived)
}

// questions are what is asked about all messages.
func questions(all []message) []exampletest.Question {
	mark := exampletest.Day().Add(6 * time.Hour)
	since := exampletest.Those(all, func(m message) bool { return !m.At.Before(mark) })
	most := table{Group: "conversation", Row: talk, Cell: conversation, Order: func(of []message) float64 { return float64(len(of)) }}
	inbox := table{Group: "conversation", Row: newest, Cell: conversation, Order: func(of []message) float64 { return float64(last(of).At.UnixMicro()) }}
	minutes := table{Group: "conversation", Row: talk, Cell: func(m message) cell {
		return cell{Time: m.At.Truncate(time.Minute), Group: m.Conversation}
	}}
	return []exampletest.Question{
		{
			What: "messages since a time, who has most first", Want: most.Rows(since),
			View: client.ViewQuery{View: "conversation_minutes", From: mark.Format(time.RFC3339), Every: "all", Order: "-messages"},
		},
		{What: "each conversation and minute", Want: minutes.Rows(all), View: client.ViewQuery{View: "conversation_minutes", Limit: 4000}},
		{
			What: "the twenty conversations with the newest messages", Want: inbox.Rows(all), First: 20,
			View: client.ViewQuery{View: "inbox", Order: "-newest"},
		},
	}
}

// counts asks how many messages each conversation has. Who remembers them can tell later how many there are since.
func counts(ctx context.Context, s *exampletest.Server) (map[string]int, error) {
	after, err := s.After(ctx)
	if err != nil {
		return nil, err
	}
	all := map[string]int{}
	for page, err := range s.Client.ViewPages(ctx, client.ViewQuery{View: "inbox", After: after}) {
		if err != nil {
			return nil, err
		}
		for _, r := range page.Rows {
			var one struct {
				Conversation string
				Messages     int
			}
			if err := json.Unmarshal(r, &one); err != nil {
				return nil, err
			}
			all[one.Conversation] = one.Messages
		}
	}
	return all, nil
}

// sinceReceipt holds what came to each conversation since the answer with the counts before, whose as_of is the mark.
func sinceReceipt(ctx context.Context, s *exampletest.Server, before map[string]int, since []message) error {
	now, err := counts(ctx, s)
	if err != nil {
		return err
	}
	news := map[string]int{}
	for _, m := range since {
		news[m.Conversation]++
	}
	for name, n := range now {
		if n-before[name] != news[name] {
			return fmt.Errorf("%s: %d messages since the mark instead of %d", name, n-before[name], news[name])
		}
		delete(news, name)
	}
	if len(news) > 0 || len(now) == 0 {
		return fmt.Errorf("%d conversations are missing of %d", len(news), len(news)+len(now))
	}
	s.Step("messages since a receipt: %d conversations are right", len(now))
	return nil
}

func conversation(m message) cell { return cell{Group: m.Conversation} }

func talk(of []message) row {
	authors := exampletest.Different(exampletest.Of(of, func(m message) string { return m.Author }))
	return row{"messages": exampletest.Whole(len(of)), "authors": exampletest.Unique(authors)}
}

// last returns the newest of messages, of which no two have the same time.
func last(of []message) message {
	return slices.MaxFunc(of, func(a, b message) int { return a.At.Compare(b.At) })
}

func newest(of []message) row {
	m := last(of)
	return row{"messages": exampletest.Whole(len(of)), "newest": exampletest.Time(m.At), "last": exampletest.Text(m.Text)}
}
