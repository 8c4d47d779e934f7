package predicate_test

import (
	"fmt"
	"strings"

	"penstock"
	"penstock/internal/jsonscan"
	"penstock/internal/predicate"
)

func ExampleParse() {
	columns := []penstock.Column{{Name: "ms", Type: penstock.Bigint, Path: "timing.ms"}}
	p, err := predicate.Parse(`geo.country in ('DE','AT') AND NOT ms <= 250`, columns)
	if err != nil {
		fmt.Println(err)
		return
	}
	var paths []jsonscan.Path
	for _, o := range p.Operands() {
		if o.Source != predicate.BuiltIn {
			paths = append(paths, o.Path)
		}
	}
	event := []byte(`{"geo":{"country":"AT"},"timing":{"ms":251}}`)
	row := predicate.Row{ID: []byte("1"), Values: make([]jsonscan.Value, len(paths))}
	jsonscan.NewSelector(paths...).Select(event, row.Values)
	fmt.Println(p)
	fmt.Println(p.Match(&row))
	_, err = predicate.Parse(`ms > '250'`, columns)
	fmt.Println(err)
	// Output:
	// geo.country in ('AT', 'DE') and not ms <= 250
	// true
	// read condition: at byte 5: ms is a bigint: want a number such as 42, found "'250'"
}

// How PostgreSQL reads a table of events whose data is of type json.
func ExamplePredicate_SQL() {
	read := func(o predicate.Operand, as predicate.Reading) string {
		x := `"` + o.Name + `"`
		if as == predicate.AsIs {
			if o.Column.Type == penstock.Text || o.Name == "id" || o.Name == "key" {
				return x + ` collate "C"`
			}
			return x
		}
		if o.Source == predicate.Path {
			x = "(data #> array['" + strings.Join(o.Path, "', '") + "'])" // names with ' are to be quoted
		}
		text := "(" + x + " #>> '{}')"
		of := func(kind, then string) string {
			return "(case when json_typeof(" + x + ") = '" + kind + "' then " + then + " end)"
		}
		switch as {
		case predicate.AsText:
			return of("string", text) + ` collate "C"`
		case predicate.AsInteger:
			return of("number", "case when "+text+" ~ '^-?[0-9]+$' then "+text+"::bigint end")
		case predicate.AsDouble:
			return of("number", text+"::double precision")
		case predicate.AsBoolean:
			return of("boolean", text+" = 'true'")
		}
		return text // AsPresent
	}
	p, _ := predicate.Parse(`geo.country = 'DE' and key is not null`, nil)
	fmt.Println(p.SQL(read))
	// Output:
	// (((case when json_typeof((data #> array['geo', 'country'])) = 'string' then ((data #> array['geo', 'country']) #>> '{}') end) collate "C" = 'DE') and (not ("key" collate "C" is null)))
}
