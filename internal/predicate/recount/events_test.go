//go:build duckdb_arrow

package recount

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"penstock"
)

// stream has a column of each type.
func stream() []penstock.Column {
	return []penstock.Column{
		{Name: "link", Type: penstock.Text, Path: "link"},
		{Name: "title", Type: penstock.Text, Path: "title"},
		{Name: "ms", Type: penstock.Bigint, Path: "ms"},
		{Name: "n", Type: penstock.Bigint, Path: "n"},
		{Name: "score", Type: penstock.Double, Path: "score"},
		{Name: "price", Type: penstock.Decimal, Precision: 12, Scale: 2, Path: "price"},
		{Name: "bot", Type: penstock.Boolean, Path: "bot"},
		{Name: "fresh", Type: penstock.Boolean, Path: "fresh"},
		{Name: "seen", Type: penstock.Timestamp, Path: "seen"},
		{Name: "extra", Type: penstock.JSON, Path: "extra"},
	}
}

// The values that events have and conditions name, so that they often meet.
var (
	texts   = []string{"", "a", "b", "ab", "A", "é", "a%", "a_b", `a\b`, "it's", "true", "1", "a\nb", `"q"`, "😀"}
	whole   = []string{"0", "1", "-1", "2", "10", "187", "9007199254740992", "9007199254740993", "9223372036854775807", "-9223372036854775807"}
	cents   = []string{"0", "1", "-1", "0.5", "1.25", "1.5", "-1.5", "2", "10", "1234567890.12", "-0.01"}
	doubles = []string{"0.0", "-0.0", "0.1", "1.5", "-1.5", "1.0", "2.0", "1e1", "1.87e2", "12345.678", "1e300", "-2.5e-7"}
	moments = []string{"2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000001Z", "2025-12-31T23:59:59.5Z", "1970-01-01T00:00:00Z", "2026-06-01T12:00:00Z"}
	paths   = []string{"geo.x", "geo.y", `"odd name"`, `"a\.b"`, "geo.deep.z", "Geo", `"$"`, "missing.x", "geo"}
)

func pick(r *rand.Rand, list []string) string { return list[r.IntN(len(list))] }

// anyJSON returns a value of any kind.
func anyJSON(r *rand.Rand) string {
	switch r.IntN(9) {
	case 0:
		return "null"
	case 1:
		return pick(r, []string{"true", "false"})
	case 2:
		return pick(r, []string{"[1,2]", "{}", `{"y":1}`, `["a"]`})
	case 3, 4:
		return pick(r, whole)
	case 5, 6:
		return pick(r, doubles)
	}
	return jsonText(pick(r, texts))
}

func jsonText(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "é", `\u00e9`).Replace(text) + `"`
}

func sqlText(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// event is an event and its row.
type event struct {
	id, key        string
	time, received penstock.Micros
	body           string
	row            string // as VALUES has it
}

// randomEvent makes an event, and its row by other means than the program's.
func randomEvent(r *rand.Rand, i int) event {
	e := event{id: fmt.Sprint("e", i%7), key: pick(r, texts), time: penstock.Micros(1_767_225_600_000000 + r.Int64N(3) - 1)}
	e.received = e.time + penstock.Micros(r.Int64N(2))
	var members, cells []string
	for _, c := range stream() {
		if r.IntN(5) == 0 {
			cells = append(cells, "NULL")
			if r.IntN(2) == 0 {
				members = append(members, `"`+c.Name+`":null`)
			}
			continue
		}
		value, cell := columnValue(r, c.Type)
		members = append(members, `"`+c.Name+`":`+value)
		cells = append(cells, cell)
	}
	for _, name := range []string{`"odd name"`, `"a.b"`, `"Geo"`, `"$"`} {
		if r.IntN(4) > 0 {
			members = append(members, name+":"+anyJSON(r))
		}
	}
	geo := anyJSON(r)
	if r.IntN(4) > 0 {
		geo = fmt.Sprintf(`{"x":%s,"y":%s,"deep":{"z":%s}}`, anyJSON(r), anyJSON(r), anyJSON(r))
	}
	r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	e.body = "{" + strings.Join(append(members, `"geo": `+geo), ", ") + "}"
	key := "NULL"
	if e.key != "" {
		key = sqlText(e.key)
	}
	e.row = fmt.Sprintf("(%d, %s, %s, make_timestamptz(%d), make_timestamptz(%d), %s, %s)",
		i, sqlText(e.id), key, e.time, e.received, sqlText(e.body), strings.Join(cells, ", "))
	return e
}

// columnValue returns a value of a type as JSON and as SQL have it.
func columnValue(r *rand.Rand, t penstock.ColumnType) (value, cell string) {
	switch t {
	case penstock.Text:
		text := pick(r, texts)
		return jsonText(text), sqlText(text)
	case penstock.Bigint:
		value = pick(r, whole)
	case penstock.Double:
		value = pick(r, doubles)
	case penstock.Decimal:
		value = pick(r, cents)
	case penstock.Boolean:
		value = pick(r, []string{"true", "false"})
	case penstock.Timestamp:
		value = pick(r, moments)
		return `"` + value + `"`, sqlText(value)
	case penstock.JSON:
		for value = "null"; value == "null"; {
			value = anyJSON(r)
		}
	}
	return value, sqlText(value)
}
