package storetest

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"penstock"
)

var poisonCases = []test{
	{"poison", "one bad event, or every second one, must cost its neighbours nothing: not their rows, not their order", poisoned},
}

// poison is a kind of event that was accepted, or got into the log otherwise, and cannot be a row.
type poison struct {
	name   string
	reason penstock.LetterReason
	spoil  func(e *penstock.Event) // what was an ordinary event
	summed bool                    // the door took it as it is now
}

// body is poison by what the event's body is. Without a checksum the store must look at it.
func body(name string, reason penstock.LetterReason, text string) poison {
	return poison{name: name, reason: reason, spoil: func(e *penstock.Event) { e.Body, e.Sum = []byte(text), 0 }}
}

// poisons are the kinds. Those whose reason is bad_type fit no column of poisonStream.
func poisons() []poison {
	return append(append(append(brokenBodies(), boundlessBodies()...), misfits()...), brokenHeads()...)
}

func brokenBodies() []poison {
	return []poison{
		body("nothing", "bad_json", ""),
		body("white space", "bad_json", " \r\n\t"),
		body("words", "bad_json", "poison"),
		body("a cut object", "bad_json", `{"n":1`),
		body("a cut string", "bad_json", `{"text":"abc`),
		body("a comma too many", "bad_json", `{"n":1,}`),
		body("no quotes", "bad_json", `{n:1}`),
		body("single quotes", "bad_json", `{'n':1}`),
		body("a comment", "bad_json", `{"n":1/* one */}`),
		body("two objects", "bad_json", `{"n":1}{"n":2}`),
		body("something behind", "bad_json", `{"n":1}]`),
		body("a byte order mark", "bad_json", "\xef\xbb\xbf{}"),
		body("NaN", "bad_json", `{"d":NaN}`),
		body("a leading zero", "bad_json", `{"n":01}`),
		body("a raw NUL", "bad_json", "{\"text\":\"a\x00b\"}"),
		body("NUL outside", "bad_json", "{}\x00"),
		body("a raw line break in a string", "bad_json", "{\"text\":\"a\nb\"}"),
		body("an unknown escape", "bad_json", `{"text":"\x41"}`),
		body("arbitrary bytes", "bad_json", string(arbitrary(100_000))),
		body("an array", "bad_shape", `[{"n":1}]`),
		body("a string", "bad_shape", `"text"`),
		body("a number", "bad_shape", `7`),
		body("null", "bad_shape", `null`),
		body("not UTF-8", "bad_utf8", "{\"text\":\"\xff\xfe\"}"),
		body("half of a surrogate pair", "bad_utf8", `{"text":"\ud83d"}`),
		body("an escaped NUL", "nul_not_allowed", `{"text":"a\u0000b"}`),
		body("an escaped NUL in a name", "nul_not_allowed", `{"a\u0000b":1}`),
		body("a member twice", "duplicate_member", `{"n":1,"n":2}`),
	}
}

// arbitrary returns bytes that are no text.
func arbitrary(n int) []byte {
	b := make([]byte, n)
	for i, x := 0, uint32(1); i < n; i++ {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

func boundlessBodies() []poison {
	return []poison{
		body("33 levels", "too_deep", nested(33)),
		body("100,000 levels", "too_deep", nested(100_000)),
		body("5,000 values", "too_many_members", `{"list":[0`+strings.Repeat(",0", 4999)+`]}`),
		body("a name of 129 bytes", "name_too_long", `{"`+strings.Repeat("n", 129)+`":1}`),
		body("a string of 64 KiB and a byte", "string_too_long", `{"text":"`+strings.Repeat("t", 64<<10+1)+`"}`),
		body("2^63", "number_range", `{"n":9223372036854775808}`),
		body("-2^63", "number_range", `{"any":-9223372036854775808}`),
		body("10^309", "number_range", `{"any":1e309}`),
		body("10^-400", "number_range", `{"any":1e-400}`),
	}
}

func nested(levels int) string {
	return `{"deep":` + strings.Repeat("[", levels-1) + strings.Repeat("]", levels-1) + `}`
}

// poisonStream declares a column of each type. The values that fit none were accepted before it did.
func poisonStream(name string) penstock.Stream {
	column := func(name string, t penstock.ColumnType) penstock.Column {
		return penstock.Column{Name: "c_" + name, Type: t, Path: name}
	}
	amount := column("amount", penstock.Decimal)
	amount.Precision, amount.Scale = 5, 2
	return penstock.Stream{Name: name, Columns: []penstock.Column{
		column("whole", penstock.Bigint), column("real", penstock.Double), amount, column("yes", penstock.Boolean), column("at", penstock.Timestamp),
		column("says", penstock.Text), column("any", penstock.JSON),
	}}
}

func misfits() []poison {
	var all []poison
	for _, text := range []string{
		`{"whole":"1"}`, `{"whole":1.5}`, `{"whole":1e3}`, `{"whole":true}`, `{"whole":{}}`, `{"real":"1.5"}`, `{"real":[1]}`,
		`{"amount":"1.00"}`, `{"amount":1000.00}`, `{"amount":1.005}`, `{"amount":1e10}`, `{"yes":1}`, `{"yes":"true"}`,
		`{"at":"yesterday"}`, `{"at":"2026-02-30T00:00:00Z"}`, `{"at":{}}`, `{"says":7}`, `{"says":["a"]}`,
	} {
		all = append(all, poison{text, "bad_type", func(e *penstock.Event) { e.Body = []byte(text) }, true})
	}
	return all
}

// brokenHeads are events whose id, key or time no door lets pass, and some that are not what the door let pass.
func brokenHeads() []poison {
	id := func(name, text string) poison {
		return poison{name, "bad_id", func(e *penstock.Event) { e.ID, e.Sum = []byte(text), 0 }, false}
	}
	key := func(name, end string) poison { // it begins as before, but its partition may be another
		return poison{name, "bad_key", func(e *penstock.Event) { e.Key, e.Sum = append(bytes.Clone(e.Key), end...), 0 }, false}
	}
	at := func(name string, t penstock.Micros) poison {
		return poison{name, "bad_time", func(e *penstock.Event) { e.Time, e.Sum = t, 0 }, false}
	}
	return []poison{
		id("an id that is no text", "a\xff\xfeb"), id("an id with NUL", "a\x00b"), id("no id", ""), id("an id of 129 bytes", strings.Repeat("i", 129)),
		id("an id beyond ASCII", "é"),
		key("a key that is no text", "\xff\xfe"), key("a key with NUL", "\x00x"), key("a key of 64 KiB", strings.Repeat("k", 65_000)),
		key("a key of 257 bytes", strings.Repeat("k", 257)),
		at("the last time there is", math.MaxInt64), at("the first time there is", math.MinInt64), at("the time that means infinity", -math.MaxInt64),
		at("the year 10000", 253_402_300_800_000_000),
		{"one bit of the body", penstock.ReasonSum, func(e *penstock.Event) { e.Body = bytes.Clone(e.Body); e.Body[len(e.Body)/2] ^= 1 }, false},
		{"bytes of another event", penstock.ReasonSum, func(e *penstock.Event) { e.Body = []byte(`{"of":"another"}`) }, false},
	}
}

// poisoned runs every kind at several shares. Of every key all events but the poison are rows, in their order.
func poisoned(s *suite) {
	if s.Brief {
		c := newScript(s, poisonStream(s.Streams[0]))
		for _, kind := range poisons() {
			c.poison(kind, 10, 100)
		}
		c.take(s.T).run(func(*take) int { return 1 << 30 }, false)
		return
	}
	for _, kind := range poisons() {
		s.Run(kind.name, func(t *testing.T) {
			inner := *s
			inner.T, inner.log = t, newTape(s.Cluster)
			c := newScript(&inner, poisonStream(s.Streams[0]))
			for _, share := range []struct{ bad, of int }{{1, 1000}, {1, 100}, {10, 100}, {50, 100}} {
				c.poison(kind, share.bad, share.of)
				c.pause()
			}
			c.take(t).run(func(*take) int { return 1 << 30 }, false)
		})
	}
}

// poison sends so many bad of so many events, in requests of 25.
func (s *script) poison(kind poison, bad, of int) {
	a := s.Streams[0]
	for n := 0; n < of; n += 25 {
		var items []fated
		for i := n; i < n+25; i++ {
			key := ""
			if i%3 > 0 {
				key = s.key(a, i%7)
			}
			e := s.event(a, key, fmt.Sprint("event-", i), "")
			if (i*bad)/of == ((i+1)*bad)/of {
				items = append(items, stored(e)...)
				continue
			}
			if kind.spoil(&e); kind.summed {
				e = s.event(a, key, string(e.ID), string(e.Body))
			}
			items = append(items, dead(kind.reason, e)...)
		}
		s.send(a, items)
	}
}
