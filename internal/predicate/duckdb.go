package predicate

import (
	"strings"

	"penstock/internal/jsonscan"
)

// DuckDB writes an operand as DuckDB reads it from the table of a stream (docs/sql.md).
func DuckDB(o Operand, as Reading) string {
	if as == AsIs {
		return identifier(o.Name)
	}
	from, path := "data", "'$'"
	if o.Source == Path {
		path = quote(duckPath(o.Path))
	} else {
		from = identifier(o.Name)
	}
	value := "(" + from + "->>" + path + ")"
	of := func(kinds, result string) string {
		return "(case when json_type(" + from + ", " + path + ") in (" + kinds + ") then " + result + " end)"
	}
	switch as {
	case AsText:
		return of("'VARCHAR'", value)
	case AsInteger:
		return of("'BIGINT', 'UBIGINT'", "try_cast("+value+" as bigint)")
	case AsDouble:
		return of("'BIGINT', 'UBIGINT', 'DOUBLE'", "try_cast("+value+" as double)")
	case AsBoolean:
		return of("'BOOLEAN'", value+" = 'true'")
	}
	return value
}

func identifier(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// duckPath returns a path as DuckDB's functions read it: by names in quotes, which cannot be written if they have quotes themselves; then as a
// JSON pointer, for which a name of digits may also be an index.
func duckPath(path jsonscan.Path) string {
	var b strings.Builder
	if strings.Contains(strings.Join(path, ""), `"`) {
		for _, name := range path {
			b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name))
		}
		return b.String()
	}
	b.WriteByte('$')
	for _, name := range path {
		b.WriteString(`."` + name + `"`)
	}
	return b.String()
}
