package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"penstock"
	"penstock/internal/sketch"
)

// maxSummed is how many digits a decimal may have whose sum is asked for: a sum has 38, which leaves room for 10,000,000,000 values.
const maxSummed = 28

// scoreColumn is the column of a leaderboard beside the member's.
const scoreColumn = "score"

const scoreForms = "max(x), sum(x) or latest(x)"

// measureForms are the measures as files spell them.
var measureForms = [...]struct {
	kind penstock.MeasureKind
	form string
	args int
}{
	{penstock.MeasureCount, "count", 0}, {penstock.MeasureSum, "sum(x)", 1}, {penstock.MeasureMin, "min(x)", 1}, {penstock.MeasureMax, "max(x)", 1},
	{penstock.MeasureAvg, "avg(x)", 1}, {penstock.MeasureUnique, "unique(x)", 1}, {penstock.MeasureQuantile, "quantile(x, 0.95)", 2},
	{penstock.MeasureTop, "top(x, 100)", 2}, {penstock.MeasureLatest, "latest(x)", 1}, {penstock.MeasureFirst, "first(x)", 1},
}

// otherWords are how other tools call the measures.
var otherWords = map[string]penstock.MeasureKind{
	"last": penstock.MeasureLatest, "mean": penstock.MeasureAvg, "average": penstock.MeasureAvg, "distinct": penstock.MeasureUnique,
	"count_distinct": penstock.MeasureUnique, "uniq": penstock.MeasureUnique, "uniques": penstock.MeasureUnique, "percentile": penstock.MeasureQuantile,
	"median": penstock.MeasureQuantile, "p50": penstock.MeasureQuantile, "p95": penstock.MeasureQuantile, "p99": penstock.MeasureQuantile,
	"topk": penstock.MeasureTop, "top_k": penstock.MeasureTop, "earliest": penstock.MeasureFirst, "minimum": penstock.MeasureMin, "maximum": penstock.MeasureMax,
}

// call is a measure that was taken apart.
type call struct {
	name string
	args []string // nil without parentheses
}

// parseCall reads name or name(argument, …).
func parseCall(text string) (call, error) {
	name, rest, opened := strings.Cut(strings.TrimSpace(text), "(")
	c := call{name: strings.ToLower(strings.TrimSpace(name))}
	if !opened {
		return c, nil
	}
	end := strings.LastIndexByte(rest, ')')
	switch {
	case end < 0:
		return c, fmt.Errorf("%s has no closing parenthesis; between { and } a text with a comma is in quotes", strings.TrimSpace(text))
	case end != len(rest)-1:
		return c, fmt.Errorf("found %q behind %s: a measure is one call, not an expression", strings.TrimSpace(rest[end+1:]), text[:len(text)-len(rest)+end+1])
	}
	c.args = strings.Split(rest[:end], ",")
	for i, a := range c.args {
		c.args[i] = strings.TrimSpace(a)
	}
	return c, nil
}

// measures reads the figures, in the order of the file.
func (r *viewReader) measures() {
	switch n := len(r.text.Measures); {
	case n == 0:
		r.missing(r.at, "measures", "measures are missing, at least one such as {rows: count}")
	case n > maxMeasures:
		r.note(r.at+".measures", "%d measures, at most %d may be", n, maxMeasures)
		return
	}
	for i, text := range r.text.Measures {
		if i > 0 && text.Text == "" && strings.HasSuffix(text.Name, ")") && !strings.Contains(r.text.Measures[i-1].Text, ")") {
			continue // the rest of the measure before, whose mistake is named
		}
		at := r.at + ".measures." + text.Name
		if err := r.measureName(text.Name); err != nil {
			r.note(at, "%v", err)
			continue
		}
		m, err := r.measure(text.Text)
		if err != nil {
			r.note(at, "%v", err)
			continue
		}
		m.Name = text.Name
		r.view.Measures = append(r.view.Measures, m)
	}
}

func (r *viewReader) measureName(name string) error {
	switch {
	case !columnName.MatchString(name):
		return errors.New("a measure's name is a lower-case letter and up to 62 lower-case letters, digits or _")
	case name == penstock.TimeColumn:
		return errors.New("time is the column that says when a window begins")
	case slices.ContainsFunc(r.view.Group, func(f penstock.Field) bool { return f.Name == name }):
		return fmt.Errorf("%s is a column of the group", name)
	}
	return nil
}

// measure reads one figure.
func (r *viewReader) measure(text string) (penstock.Measure, error) {
	c, err := parseCall(text)
	if err != nil {
		return penstock.Measure{}, err
	}
	i, err := findForm(c.name, text)
	if err != nil {
		return penstock.Measure{}, err
	}
	form := measureForms[i]
	m := penstock.Measure{Kind: form.kind}
	if form.kind == penstock.MeasureCount {
		if len(c.args) > 1 || len(c.args) == 1 && c.args[0] != "" && c.args[0] != "*" {
			return m, errors.New("count takes nothing: it counts rows; those that have a value count with where: x is not null")
		}
		return m, nil
	}
	if len(c.args) != form.args || slices.Contains(c.args, "") {
		return m, fmt.Errorf("%s is written %s, where x is a column or a path", form.kind, form.form)
	}
	if m.Of, err = r.field(c.args[0], looseType(m.Kind)); err != nil {
		return m, err
	}
	if why := unfit(m.Kind, m.Of); why != "" {
		return m, errors.New(why)
	}
	switch m.Kind {
	case penstock.MeasureQuantile:
		m.Q, err = parseQuantile(c.args[1])
	case penstock.MeasureTop:
		m.K, err = parseTop(c.args[1])
	}
	return m, err
}

// findForm returns the index of a measure's form.
func findForm(name, text string) (int, error) {
	forms, names := make([]string, len(measureForms)), make([]string, len(measureForms))
	for i, f := range measureForms {
		if string(f.kind) == name {
			return i, nil
		}
		forms[i], names[i] = f.form, string(f.kind)
	}
	meant := didYouMean(name, names)
	if kind, ok := otherWords[name]; ok {
		meant = fmt.Sprintf("; did you mean %q?", kind)
	}
	return 0, fmt.Errorf("%q is not a measure: %s%s", strings.TrimSpace(text), strings.Join(forms, ", "), meant)
}

// looseType is the type in which a measure reads a path.
func looseType(kind penstock.MeasureKind) penstock.ColumnType {
	switch kind {
	case penstock.MeasureSum, penstock.MeasureAvg, penstock.MeasureQuantile, penstock.MeasureMin, penstock.MeasureMax:
		return penstock.Double
	}
	return penstock.Text
}

func isNumber(t penstock.ColumnType) bool {
	return t == penstock.Bigint || t == penstock.Double || t == penstock.Decimal
}

// unfit says why a field cannot be measured so, or nothing.
func unfit(kind penstock.MeasureKind, f penstock.Field) string {
	is := f.Name + " is " + typeText(f.Column)
	switch kind {
	case penstock.MeasureSum, penstock.MeasureAvg:
		switch {
		case !isNumber(f.Type):
			return fmt.Sprintf("%s, and %s takes numbers", is, kind)
		case f.Type == penstock.Decimal && f.Precision > maxSummed:
			return fmt.Sprintf("%s: a sum of it could not be held, which has %d digits; want at most decimal(%d,s)", is, maxPrecision, maxSummed)
		}
	case penstock.MeasureQuantile:
		if !isNumber(f.Type) {
			return fmt.Sprintf("%s, and quantile takes numbers", is)
		}
	case penstock.MeasureMin, penstock.MeasureMax:
		if f.Type == penstock.JSON || f.Type == penstock.Boolean {
			return fmt.Sprintf("%s, and %s takes numbers, text and timestamps", is, kind)
		}
	case penstock.MeasureUnique, penstock.MeasureTop:
		if f.Type == penstock.JSON {
			return fmt.Sprintf("%s, in which one value can be written in several ways: declare a column for the part of it that is meant", is)
		}
	}
	return ""
}

var decimalNumber = regexp.MustCompile(`^(\d+(\.\d*)?|\.\d+)$`)

func parseQuantile(text string) (float64, error) {
	q, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil || !decimalNumber.MatchString(text):
		return 0, fmt.Errorf("%q is not a number from 0 to 1 such as 0.95", text)
	case q > 1 && q <= 100:
		return 0, fmt.Errorf("%s is not within 0 to 1; did you mean %s?", text, strconv.FormatFloat(q/100, 'f', -1, 64))
	case q > 1:
		return 0, fmt.Errorf("%s is not within 0 to 1", text)
	}
	return q, nil
}

func parseTop(text string) (int, error) {
	k, err := strconv.Atoi(text)
	if err != nil || k < 1 || k > sketch.MaxTop {
		return 0, fmt.Errorf("%q is not a whole number from 1 to %d", text, sketch.MaxTop)
	}
	return k, nil
}

// score reads what members are ranked by.
func (r *viewReader) score(text string) (penstock.Measure, error) {
	c, err := parseCall(text)
	if err != nil {
		return penstock.Measure{}, err
	}
	m := penstock.Measure{Name: scoreColumn, Kind: penstock.MeasureKind(c.name)}
	if c.name == "last" {
		m.Kind = penstock.MeasureLatest
	}
	kinds := []penstock.MeasureKind{penstock.MeasureMax, penstock.MeasureSum, penstock.MeasureLatest}
	if !slices.Contains(kinds, m.Kind) || len(c.args) != 1 || c.args[0] == "" {
		return m, fmt.Errorf("%q is not a score: %s, where x is a column or a path", strings.TrimSpace(text), scoreForms)
	}
	if m.Of, err = r.field(c.args[0], penstock.Double); err != nil {
		return m, err
	}
	if !isNumber(m.Of.Type) {
		return m, fmt.Errorf("%s is %s, and a score is a number", m.Of.Name, typeText(m.Of.Column))
	}
	if why := unfit(m.Kind, m.Of); why != "" {
		return m, errors.New(why)
	}
	return m, nil
}
