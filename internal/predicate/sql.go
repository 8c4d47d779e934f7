package predicate

import "strings"

// Reading is how SQL needs an operand's value.
type Reading byte

// The readings. What is built in, and a column of a type other than json, is only read AsIs.
const (
	AsIs      Reading = iota // in its own type: text in the order of its bytes, timestamps with a time zone
	AsPresent                // of JSON: anything, NULL only if the value is missing or null
	AsText                   // of JSON: the text of a string, else NULL
	AsInteger                // of JSON: a number that is written as an integer, else NULL
	AsDouble                 // of JSON: every number as a double, else NULL
	AsBoolean                // of JSON: true or false, else NULL
)

// SQL returns the predicate as a condition of PostgreSQL and DuckDB, in parentheses; read writes an operand. It is for a program that recounts,
// and is NULL, true or false where Match is, with two exceptions: numbers of paths that are not integers are compared as doubles, and
// two decimals that together need more than 38 digits are an error of the database.
func (p *Predicate) SQL(read func(Operand, Reading) string) string {
	w := sqlWriter{read: read}
	p.root.sql(&w)
	return w.String()
}

type sqlWriter struct {
	strings.Builder
	read func(Operand, Reading) string
}

// put appends parts.
func (w *sqlWriter) put(parts ...string) {
	for _, part := range parts {
		w.WriteString(part)
	}
}

// as returns a term as of a domain; integers of JSON are the caller's to treat apart.
func (w *sqlWriter) as(t *term, as domain) string {
	switch {
	case t.kind == literalTerm:
		return t.constant(as)
	case t.domain == dynamic:
		return w.read(t.operand, [...]Reading{textual: AsText, numeric: AsDouble, double: AsDouble, boolean: AsBoolean}[as])
	case t.domain == numeric && as == double:
		return asDouble(w.read(t.operand, AsIs))
	}
	return w.read(t.operand, AsIs)
}

// asDouble returns an expression as a double.
func asDouble(x string) string { return "cast(" + x + " as double precision)" }

// constant returns a literal.
func (t *term) constant(as domain) string {
	switch {
	case t.domain == textual:
		return quote(t.text)
	case t.domain == moment:
		return "cast(" + quote(t.text) + " as timestamptz)"
	case as == double:
		return asDouble(quote(t.text))
	}
	return t.text
}

func (j *junction) sql(w *sqlWriter) {
	word := " or "
	if j.all {
		word = " and "
	}
	w.put("(")
	for i, part := range j.parts {
		if i > 0 {
			w.put(word)
		}
		part.sql(w)
	}
	w.put(")")
}

func (n *negation) sql(w *sqlWriter) {
	w.put("(not ")
	n.of.sql(w)
	w.put(")")
}

func (v *verdict) sql(w *sqlWriter) {
	w.put("(")
	v.of.sql(w)
	w.put([...]string{no: " is false)", unknown: " is null)", yes: " is true)"}[v.want])
}

func (n *nullness) sql(w *sqlWriter) {
	as := AsIs
	if n.of.domain == dynamic {
		as = AsPresent
	}
	w.put("(", w.read(n.of.operand, as), " is null)")
}

func (s *span) sql(w *sqlWriter) {
	w.put("(")
	s.low.sql(w)
	w.put(" and ")
	s.high.sql(w)
	w.put(")")
}

func (l *likeness) sql(w *sqlWriter) {
	pattern := patternText(l.pattern)
	w.put("(", w.as(&l.left, textual), " like ", quote(pattern))
	if strings.Contains(pattern, `\`) { // without escape DuckDB takes linear time for many %
		w.put(` escape '\'`)
	}
	w.put(")")
}

func (c *comparison) sql(w *sqlWriter) {
	loose := c.left.domain == dynamic || c.right.domain == dynamic
	switch {
	case c.as == nothing:
		w.put("cast(null as boolean)")
	case c.as == dynamic:
		c.dynamicSQL(w)
	case c.as == numeric && loose:
		w.put("(case")
		c.numericSQL(w)
		w.put(" end)")
	case c.as == numeric && c.right.kind == literalTerm:
		scale, _, _ := c.left.digits()
		w.put("(", rounded(w.read(c.left.operand, AsIs), c.op, &c.right, scale), ")")
	default:
		w.put("(", w.as(&c.left, c.as), " ", c.op.String(), " ", w.as(&c.right, c.as), ")")
	}
}

// rounded returns the comparison of an expression, which has so many digits after the point, with a number that may have more: databases would make
// the expression as wide, and may have no room for it.
func rounded(x string, op operator, literal *term, scale int) string {
	lower := floor(literal.text, scale)
	switch {
	case lower == literal.text:
		return x + " " + op.String() + " " + lower
	case op == equal:
		return x + " <> " + x
	case op == less|greater:
		return x + " = " + x
	case op&less != 0:
		return x + " <= " + lower
	}
	return x + " > " + lower
}

// numericSQL appends the branches for two numbers of which one at least is JSON: integers as such, others as doubles.
func (c *comparison) numericSQL(w *sqlWriter) {
	x, y := w.exact(&c.left), w.exact(&c.right)
	w.put(" when ", x, " is not null and ", y, " is not null then ")
	if c.right.kind == literalTerm {
		w.put(rounded(x, c.op, &c.right, 0))
	} else {
		w.put(x, " ", c.op.String(), " ", y)
	}
	a, b := w.as(&c.left, double), w.as(&c.right, double)
	w.put(" when ", a, " is not null and ", b, " is not null then ", a, " ", c.op.String(), " ", b)
}

// exact returns a number as an integer, or as the decimal that it is.
func (w *sqlWriter) exact(t *term) string {
	if t.kind != literalTerm && t.domain == dynamic {
		return w.read(t.operand, AsInteger)
	}
	return w.as(t, numeric)
}

// dynamicSQL appends the comparison of two JSON values.
func (c *comparison) dynamicSQL(w *sqlWriter) {
	w.put("(case")
	c.numericSQL(w)
	for _, as := range []domain{textual, boolean} {
		if as == boolean && c.op.ordered() {
			continue
		}
		x, y := w.as(&c.left, as), w.as(&c.right, as)
		w.put(" when ", x, " is not null and ", y, " is not null then ", x, " ", c.op.String(), " ", y)
	}
	w.put(" end)")
}

func (m *membership) sql(w *sqlWriter) {
	if m.as == numeric && m.left.domain == dynamic {
		x := w.read(m.left.operand, AsInteger)
		w.put("(case when ", x, " is not null then ")
		m.listSQL(w, x, numeric)
		w.put(" else ")
		m.listSQL(w, w.as(&m.left, double), double)
		w.put(" end)")
		return
	}
	if m.as == nothing {
		w.put("cast(null as boolean)")
		return
	}
	w.put("(")
	m.listSQL(w, w.as(&m.left, m.as), m.as)
	w.put(")")
}

// listSQL appends x in (…). Among integers of JSON only integers are looked for.
func (m *membership) listSQL(w *sqlWriter, x string, as domain) {
	var list []string
	for i := range m.list {
		if as != numeric || m.left.domain != dynamic || fractionDigits(m.list[i].text) == 0 {
			list = append(list, m.list[i].constant(as))
		}
	}
	if m.null {
		list = append(list, "null")
	}
	if len(list) == 0 {
		w.put(x, " <> ", x)
		return
	}
	w.put(x, " in (", strings.Join(list, ", "), ")")
}
