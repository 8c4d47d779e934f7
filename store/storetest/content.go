package storetest

import (
	"bytes"
	"strings"

	"penstock"
)

var contentCases = []test{
	{"content/every column", "a row is compared with what was answered by these columns", contentColumns},
	{"content/bytes of a body", "an event is the sender's: numbers, spaces and escapes stay as they were sent", contentBodies},
	{"content/keys and ids", "a key that is normalised or cut becomes another key", contentKeys},
	{"content/no key, id of the server", "most streams have events without key or id", contentBare},
	{"content/longest values", "the door accepts up to these limits, so the store must, or it stops for ever", contentLongest},
	{"content/times", "times are microseconds of the whole calendar that senders can write", contentTimes},
	{"content/several streams", "streams must not see each other's rows", contentStreams},
}

// keep applies the events as one block and checks that they are there as they were.
func (s *suite) keep(events ...penstock.Event) {
	s.Helper()
	s.apply(s.batch(s.log.append(s.Streams[0], events...)))
	s.check()
}

func contentColumns(s *suite) {
	block := s.log.append(s.Streams[1], s.log.events(100)...)
	block.ReceivedAt = 1_750_000_000_999_999
	s.apply(s.batch(block))
	s.check()
	n := 0
	for _, r := range s.rows() {
		n++
		if r.Stream != s.Streams[1] || r.ReceivedAt != block.ReceivedAt || r.Position.Epoch != block.Epoch ||
			r.ID == "" || len(r.Body) == 0 || r.Time == 0 {
			s.Fatalf("%s", r)
		}
	}
	if n == 0 {
		s.Fatal("no rows")
	}
}

func contentBodies(s *suite) {
	bodies := []string{
		`{}`,
		" {\r\n\t\"a\" :\t[ 1 , 2 ]\n} ",
		`{"n":9007199254740993,"m":-9223372036854775807,"u":9223372036854775807}`,
		`{"n":123456789012345678901234567890.123456789012345678901234567890}`,
		`{"zero":-0,"one":1.0,"e":1E+2,"big":1e308,"small":5e-324,"trail":0.1000}`,
		`{"b":1,"a":2,"A":3,"":4}`,
		`{"text":"Grüße, 日本語, עברית, 👩‍👩‍👧‍👦, é, é, ﬁ, ǅ, ` + "\u2028\ufeff\ufffd\U0010ffff" + `"}`,
		`{"text":"\u00e9\ud83d\ude00\/\\\"\b\f\n\r\t\u001f\u007f"}`,
		`{"text":"'; drop table events; -- \\x00 $1 %s {} \\N"}`,
		`{"null":null,"true":true,"list":[],"deep":` + strings.Repeat(`[`, 31) + strings.Repeat(`]`, 31) + `}`,
		`{"text":"` + strings.Repeat("long enough not to be stored in place. ", 20) + `"}`,
		"{\"del\":\"\x7f\"}",
	}
	events := s.log.events(len(bodies))
	for i := range events {
		events[i].Body = []byte(bodies[i])
	}
	s.keep(events...)
}

func contentKeys(s *suite) {
	keys := []string{
		"a", "A", "a ", " a", "é", "é", "日本", "👩‍👩‍👧", "'", `"`, `\`, "%", "_", "null", "NULL", "0", "00", "-0", "true",
		"a\tb\nc", "\u2028", "\ufeff", "\U0010ffff", "a,b", "{}",
	}
	events := s.log.events(len(keys) + 2)
	for i := range keys {
		events[i].Key = []byte(keys[i])
	}
	events[len(keys)].ID = []byte(` !"#$%&'()*+,-./0:;<=>?@A[\]^_` + "`a{|}~")
	events[len(keys)+1].ID = []byte("0")
	s.keep(events...)
}

func contentBare(s *suite) {
	events := s.log.events(50)
	for i := range events {
		events[i].Key = nil
		events[i].Flags = penstock.ServerID
	}
	s.keep(events...)
	for _, r := range s.rows() {
		if r.Key != "" {
			s.Fatalf("key %q of an event that has none", r.Key)
		}
	}
}

func contentLongest(s *suite) {
	const longestBody = 256 << 10
	events := s.log.events(9)
	for i := range events {
		events[i].ID = append(bytes.Repeat([]byte{'~'}, int(penstock.MaxIDLen)-1), byte('0'+i))
		events[i].Key = bytes.Repeat([]byte{byte('a' + i)}, int(penstock.MaxKeyLen))
		events[i].Body = s.log.body(longestBody - penstock.Bytes(i))
	}
	events[8].Body = []byte(`{}`)
	s.keep(events...)
}

func contentTimes(s *suite) {
	times := []penstock.Micros{
		0, 1, -1, 999_999, 1_000_000, 1_750_000_000_123_457,
		-62_167_219_200_000_000, // the year 0 begins
		253_402_300_799_999_999, // the year 9999 ends
	}
	events := s.log.events(len(times))
	for i := range events {
		events[i].Time = times[i]
	}
	s.keep(events...)
}

func contentStreams(s *suite) {
	for range 3 {
		var blocks []*penstock.Block
		for _, stream := range s.Streams {
			blocks = append(blocks, s.log.append(stream, s.log.events(30)...))
		}
		s.apply(s.batch(append(blocks, s.log.append(s.Streams[0], s.log.events(1)...))...))
		s.check()
	}
}
