package query

import (
	"cmp"
	"context"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"penstock"
)

// fakeViewer answers as a store does whose view clicks_per_link has a window of a minute, two group columns and a measure of each type. It
// refuses cursors whose values are not of their columns' types.
type fakeViewer struct {
	rows  [][]any // by viewColumns
	fail  error
	board []penstock.Standing

	mu    sync.Mutex
	asked []penstock.ViewQuery
}

var viewColumns = [...]penstock.ResultColumn{
	{Name: "time", Type: "TIMESTAMPTZ"}, {Name: "link", Type: "VARCHAR"}, {Name: "country", Type: "BIGINT"}, {Name: "clicks", Type: "BIGINT"},
	{Name: "revenue", Type: "DECIMAL(12,2)"}, {Name: "total", Type: "HUGEINT"}, {Name: "p95", Type: "DOUBLE"}, {Name: "hot", Type: "JSON"},
	{Name: "bot", Type: "BOOLEAN"},
}

const (
	columnTime, columnLink, columnClicks = 0, 1, 3
)

func clicksPerLink() penstock.View {
	group := func(name string, kind penstock.ColumnType) penstock.Field {
		return penstock.Field{Column: penstock.Column{Name: name, Type: kind}}
	}
	return penstock.View{Name: "clicks_per_link", Stream: "clicks", Window: time.Minute,
		Group: []penstock.Field{group("link", penstock.Text), group("country", penstock.Bigint)}}
}

// newViewer returns a viewer of n rows: some windows, links that are no word, empty or NULL, and measures with many ties.
func newViewer(n int) *fakeViewer {
	v := &fakeViewer{}
	links := []any{"home", "", nil, "ä b/&\"\n'", "=1+1", "zoo"}
	for i := range n {
		total := bigInt(fmt.Sprintf("17014118346046923173168730371588410%d", i%3))
		row := []any{
			time.UnixMicro(1e15 + int64(i%4)*60e6), links[(i/4)%len(links)], int64(i / 24), int64(i % 5),
			penstock.Number(fmt.Sprintf("%d.%02d", i%7, i%3)), total, float64(i%4) / 3, penstock.Raw(fmt.Sprintf(`[{"value":"a","count":%d}]`, i%2)), i%2 == 0,
		}
		if i%11 == 0 {
			row[columnClicks], row[6], row[8] = nil, nil, nil
		}
		v.rows = append(v.rows, row)
	}
	return v
}

func (v *fakeViewer) View(_ context.Context, q penstock.ViewQuery) (penstock.Rows, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked = append(v.asked, q)
	if v.fail != nil {
		return nil, v.fail
	}
	rows := slices.DeleteFunc(slices.Clone(v.rows), func(row []any) bool {
		at := penstock.MicrosOf(row[columnTime].(time.Time))
		return q.From != 0 && at < q.From || q.To != 0 && at >= q.To || !matches(row, q.Where)
	})
	columns := viewColumns[:]
	if q.Whole {
		columns, rows = columns[1:], merged(rows)
	}
	keys := keyPlaces(columns, q)
	if q.Order != "" && keys[0] < 0 {
		return nil, penstock.Refusef("bad_query", "ask view", "there is no column %s", q.Order)
	}
	slices.SortFunc(rows, func(a, b []any) int { return compareRows(valuesAt(a, keys), valuesAt(b, keys), q) })
	if q.After != nil {
		if err := sameTypes(q.After, columns, keys); err != nil {
			return nil, err
		}
		rows = slices.DeleteFunc(rows, func(row []any) bool { return compareRows(valuesAt(row, keys), q.After, q) <= 0 })
	}
	return &fakeRows{columns: columns, rows: rows[:min(len(rows), q.Limit)]}, nil
}

func (v *fakeViewer) Rank(_ context.Context, _, member string, around int) ([]penstock.Standing, error) {
	if v.fail != nil {
		return nil, v.fail
	}
	i := slices.IndexFunc(v.board, func(s penstock.Standing) bool { return s.Member == member })
	if i < 0 {
		return nil, penstock.Errorf(penstock.NotFound, "ask view", "there is no member %s", member)
	}
	return v.board[max(0, i-around):min(len(v.board), i+around+1)], nil
}

func matches(row []any, where map[string]string) bool {
	for column, want := range where {
		i := slices.IndexFunc(viewColumns[:], func(c penstock.ResultColumn) bool { return c.Name == column })
		if i < 0 || row[i] == nil || fmt.Sprint(row[i]) != want {
			return false
		}
	}
	return true
}

// merged returns rows without time, one for each group.
func merged(rows [][]any) [][]any {
	var all [][]any
	seen := map[string]bool{}
	for _, row := range rows {
		if group := fmt.Sprintf("%#v", row[1:3]); !seen[group] {
			seen[group] = true
			all = append(all, row[1:])
		}
	}
	return all
}

// keyPlaces returns where the values stand by which rows are ordered; a column that is not there is -1.
func keyPlaces(columns []penstock.ResultColumn, q penstock.ViewQuery) []int {
	names := []string{"time", "link", "country"}
	if q.Whole {
		names = names[1:]
	}
	if q.Order != "" {
		names = append([]string{q.Order}, slices.DeleteFunc(names, func(name string) bool { return name == q.Order })...)
	}
	places := make([]int, len(names))
	for i, name := range names {
		places[i] = slices.IndexFunc(columns, func(c penstock.ResultColumn) bool { return c.Name == name })
	}
	return places
}

func valuesAt(row []any, places []int) []any {
	values := make([]any, len(places))
	for i, p := range places {
		values[i] = row[p]
	}
	return values
}

// compareRows compares the values of keys: NULL is last, whatever the direction, which is that of the first alone.
func compareRows(a, b []any, q penstock.ViewQuery) int {
	for i := range a {
		c := compareValues(a[i], b[i])
		if i == 0 && q.Order != "" && q.Down && a[i] != nil && b[i] != nil {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

func compareValues(a, b any) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	switch a := a.(type) {
	case int64:
		return cmp.Compare(a, b.(int64))
	case float64:
		return cmp.Compare(a, b.(float64))
	case *big.Int:
		return a.Cmp(b.(*big.Int))
	case time.Time:
		return a.Compare(b.(time.Time))
	case bool:
		return strings.Compare(strconv.FormatBool(a), strconv.FormatBool(b.(bool)))
	case penstock.Number:
		x, _ := strconv.ParseFloat(string(a), 64)
		y, _ := strconv.ParseFloat(string(b.(penstock.Number)), 64)
		return cmp.Compare(x, y)
	}
	return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
}

// sameTypes fails if a value of a cursor is not of the type that its column's values have.
func sameTypes(after []any, columns []penstock.ResultColumn, places []int) error {
	types := map[string]reflect.Type{"TIMESTAMPTZ": reflect.TypeFor[time.Time](), "VARCHAR": reflect.TypeFor[string](), "BIGINT": reflect.TypeFor[int64](),
		"DECIMAL(12,2)": reflect.TypeFor[penstock.Number](), "HUGEINT": reflect.TypeFor[*big.Int](), "DOUBLE": reflect.TypeFor[float64](),
		"JSON": reflect.TypeFor[penstock.Raw](), "BOOLEAN": reflect.TypeFor[bool]()}
	if len(after) != len(places) {
		return penstock.Errorf(penstock.Internal, "ask view", "%d values for %d keys", len(after), len(places))
	}
	for i, v := range after {
		if v != nil && reflect.TypeOf(v) != types[columns[places[i]].Type] {
			return penstock.Errorf(penstock.Internal, "ask view", "%T for a column of type %s", v, columns[places[i]].Type)
		}
	}
	return nil
}
