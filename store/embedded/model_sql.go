package embedded

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/duckdb/duckdb-go/v2"

	"penstock"
	"penstock/internal/delta"
)

// merged returns what merges a state's column over the rows of a group, in SQL.
func merged(c delta.Column) string {
	switch c.Merge {
	case delta.Sum:
		return "sum(" + c.Name + ")"
	case delta.Min:
		return "min(" + c.Name + ")"
	case delta.Max:
		return "max(" + c.Name + ")"
	case delta.Latest:
		return "arg_max(" + c.Name + ", " + c.By + ")"
	case delta.First:
		return "arg_min(" + c.Name + ", " + c.By + ")"
	}
	return mergeFunction + "(list(" + c.Name + "))"
}

// figure returns what a measure says of the rows of a group, in SQL.
func figure(m penstock.Measure, columns []delta.Column) string {
	c := columns[0]
	states := "list(" + c.Name + ")"
	switch m.Kind {
	case penstock.MeasureCount:
		return "coalesce(CAST(sum(" + c.Name + ") AS BIGINT), 0)"
	case penstock.MeasureSum:
		if m.Of.Type == penstock.Bigint {
			return "CAST(sum(" + c.Name + ") AS HUGEINT)"
		}
		return "sum(" + c.Name + ")"
	case penstock.MeasureAvg:
		return "CAST(sum(" + c.Name + ") AS DOUBLE) / sum(" + columns[1].Name + ")"
	case penstock.MeasureUnique:
		return "coalesce(" + uniqueFunction + "(" + states + "), 0)"
	case penstock.MeasureQuantile:
		return fmt.Sprintf("%s(%s, %v)", quantileFunction, states, m.Q)
	case penstock.MeasureTop:
		return fmt.Sprintf("CAST(coalesce(%s(%s, %d), '[]') AS JSON)", topFunction, states, m.K)
	}
	return merged(c)
}

// figures lists a view's measures as SQL, each with its name.
func (m model) figures() []string {
	var all []string
	columns := delta.Columns(&m.View)
	for i, measure := range m.View.Measures {
		mine := slices.Clone(columns)
		mine = slices.DeleteFunc(mine, func(c delta.Column) bool { return c.Measure != i })
		all = append(all, figure(measure, mine)+" AS "+ident(measure.Name))
	}
	return all
}

// groups lists a view's group columns as SQL, each with its name.
func (m model) groups() []string {
	var all []string
	for i, g := range m.View.Group {
		all = append(all, groupName(i)+" AS "+ident(g.Name))
	}
	return all
}

// from returns all states of a model, in SQL.
func (d *Database) from(m model) string {
	var parts []string
	for _, s := range d.shards {
		parts = append(parts, s.states(m)...)
	}
	return "(" + strings.Join(parts, " UNION ALL ") + ")"
}

// states returns the states of a model in a shard, in SQL, those of the newest file last. Those of a file that were brought forward are in the
// newest one too, as that says itself.
func (s *shard) states(m model) []string {
	files := s.list()
	newest := files[len(files)-1]
	var parts []string
	for _, f := range files {
		if _, ok := f.columns(modelTable(m.ID)); !ok {
			continue
		}
		part := fmt.Sprintf("SELECT *, %t AS _newest FROM %s", f == newest, f.table(modelTable(m.ID)))
		if f != newest {
			part += fmt.Sprintf(" WHERE %d > (SELECT taken FROM %s WHERE id = %d)", f.number, newest.table(modelsTable), m.ID)
		}
		parts = append(parts, part)
	}
	return parts
}

// rowsOf returns the rows of a model under a condition, in SQL; step is the length of a row's time in microseconds: 0 is the window's
// own, -1 means that all windows are one row without a time.
func (d *Database) rowsOf(m model, step int64, where []string) string {
	var columns, by []string
	if m.View.Window > 0 && step >= 0 {
		at := "_time"
		if step > 0 {
			at = fmt.Sprintf("make_timestamptz(epoch_us(_time) - ((epoch_us(_time) %% %[1]d) + %[1]d) %% %[1]d)", step)
		}
		columns, by = append(columns, at+" AS "+penstock.TimeColumn), append(by, at)
	}
	for i := range m.View.Group {
		by = append(by, groupName(i))
	}
	columns = slices.Concat(columns, m.groups(), m.figures())
	having := ""
	if hidden := (*d.hiddenStates.Load())[m.ID]; hidden > 0 && m.View.Window > 0 {
		where = append(slices.Clone(where), m.keptWindows(hidden))
	} else if hidden > 0 {
		having = " HAVING max(_changed) >= " + timestamp(hidden)
	}
	text := "SELECT " + strings.Join(columns, ", ") + " FROM " + d.from(m)
	if len(where) > 0 {
		text += " WHERE " + strings.Join(where, " AND ")
	}
	if len(by) > 0 {
		text += " GROUP BY " + strings.Join(by, ", ")
	}
	return text + having
}

// showModel makes the table of a view, as users see it.
func (d *Database) showModel(ctx context.Context, m model) error {
	return d.view(ctx, "main."+ident(m.View.Name), []string{d.rowsOf(m, 0, nil)})
}

// View implements penstock.Viewer.
func (d *Database) View(ctx context.Context, q penstock.ViewQuery) (penstock.Rows, error) {
	return d.askView(ctx, q.View, func(m model) (string, []any, error) { return d.viewStatement(m, q) })
}

// askView asks a view with a statement that is made anew whenever tables that it read of are gone.
func (d *Database) askView(ctx context.Context, view string, statement func(model) (string, []any, error)) (penstock.Rows, error) {
	return d.ask(ctx, func(ctx context.Context, r *rows) error {
		m, err := d.shownModel(view)
		if err != nil {
			return err
		}
		text, args, err := statement(m)
		if err != nil {
			return err
		}
		if err := r.begin(ctx, d.engine); err != nil {
			return err
		}
		return unfitting(r.run(ctx, text, args))
	})
}

// unfitting says of an error that comes of values, and not of the statement, so much as users may read: no user wrote the statement.
func unfitting(err error) error {
	if isDuck(err, duckdb.ErrorTypeConversion) || isDuck(err, duckdb.ErrorTypeOutOfRange) || isDuck(err, duckdb.ErrorTypeDecimal) {
		return refuseView("a value, of the question or of the view, does not fit its column")
	}
	return err
}

// viewStatement returns the statement that answers a question to a view.
func (d *Database) viewStatement(m model, q penstock.ViewQuery) (string, []any, error) {
	step := q.Every.Microseconds()
	window := m.View.Window.Microseconds()
	switch {
	case q.Whole:
		step = -1
	case step > 0 && window == 0:
		return "", nil, refuseView("this view has no windows: every does not apply")
	case step > 0 && step%window != 0:
		return "", nil, refuseView("every is a multiple of the view's window, " + m.View.Window.String())
	case window == 0 && (q.From != 0 || q.To != 0):
		return "", nil, refuseView("this view has no windows: from and to do not apply")
	}
	var where []string
	var args []any
	for _, name := range slices.Sorted(maps.Keys(q.Where)) {
		i := slices.IndexFunc(m.View.Group, func(f penstock.Field) bool { return f.Name == name })
		if i < 0 {
			return "", nil, refuseView("the view has no group column " + name)
		}
		value, err := valueOf(m.View.Group[i].Column, q.Where[name])
		if err != nil {
			return "", nil, err
		}
		where = append(where, groupName(i)+" = "+orderedBy{sql: sqlType(m.View.Group[i].Column)}.parameter())
		args = append(args, argument(value))
	}
	if q.From != 0 {
		where = append(where, "_time >= "+timestamp(q.From))
	}
	if q.To != 0 {
		where = append(where, "_time < "+timestamp(q.To))
	}
	order, err := m.order(q, step)
	if err != nil {
		return "", nil, err
	}
	text := "SELECT * FROM (" + d.rowsOf(m, step, where) + ")"
	if q.After != nil {
		behind, more, err := order.behind(q.After)
		if err != nil {
			return "", nil, err
		}
		text, args = text+" WHERE "+behind, append(args, more...)
	}
	return text + " ORDER BY " + order.String() + fmt.Sprintf(" LIMIT %d", q.Limit), args, nil
}

func refuseView(why string) error { return penstock.Refusef("bad_query", "ask view", "%s", why) }

// order is the columns that a result is ordered by.
type order []orderedBy

type orderedBy struct {
	name string
	sql  string // its type
	down bool
}

// order returns how the answer to a question is ordered: no two rows are equal in it.
func (m model) order(q penstock.ViewQuery, step int64) (order, error) {
	var all order
	if m.View.Window > 0 && step >= 0 {
		all = append(all, orderedBy{penstock.TimeColumn, "TIMESTAMPTZ", false})
	}
	for _, g := range m.View.Group {
		all = append(all, orderedBy{g.Name, sqlType(g.Column), false})
	}
	if q.Order == "" {
		if len(all) == 0 {
			all = order{{"1", "INTEGER", false}}
		}
		return all, nil
	}
	first := orderedBy{q.Order, "", q.Down}
	for _, one := range all {
		if one.name == q.Order {
			first.sql = one.sql
		}
	}
	for _, measure := range m.View.Measures {
		if measure.Name == q.Order {
			first.sql = figureType(measure)
		}
	}
	if first.sql == "" {
		return nil, refuseView("the view has no column " + q.Order)
	}
	all = slices.DeleteFunc(all, func(o orderedBy) bool { return o.name == q.Order })
	return append(order{first}, all...), nil
}

// String returns it as ORDER BY has it.
func (o order) String() string {
	parts := make([]string, len(o))
	for i, one := range o {
		parts[i] = ident(one.name)
		if one.name == "1" {
			parts[i] = "1"
		}
		if one.down {
			parts[i] += " DESC"
		}
		parts[i] += " NULLS LAST"
	}
	return strings.Join(parts, ", ")
}

// behind returns the condition for rows behind one, of which the values of the order's columns are given.
func (o order) behind(last []any) (string, []any, error) {
	if len(last) != len(o) {
		return "", nil, penstock.Refusef("bad_cursor", "ask view", "the cursor has %d values for %d columns", len(last), len(o))
	}
	var ways []string
	var args []any
	for i, one := range o {
		if last[i] == nil {
			continue // NULL is the last: nothing is behind it
		}
		var same []string
		for j := range i {
			same = append(same, ident(o[j].name)+" IS NOT DISTINCT FROM "+o[j].parameter())
			args = append(args, argument(last[j]))
		}
		beyond := ">"
		if one.down {
			beyond = "<"
		}
		name := ident(one.name)
		ways = append(ways, strings.Join(append(same, "("+name+" "+beyond+" "+one.parameter()+" OR "+name+" IS NULL)"), " AND "))
		args = append(args, argument(last[i]))
	}
	if len(ways) == 0 {
		return "false", nil, nil
	}
	return "(" + strings.Join(ways, " OR ") + ")", args, nil
}
