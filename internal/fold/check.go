package fold

import (
	"errors"
	"fmt"
	"strings"

	"penstock"
	"penstock/internal/delta"
	"penstock/internal/sketch"
)

// checkNames fails if a view has two columns of one name, or one without. SQL does not tell names apart that differ only in case.
func checkNames(v *penstock.View) error {
	seen := map[string]bool{}
	if v.Window > 0 {
		seen[penstock.TimeColumn] = true
	}
	names := make([]string, 0, len(v.Group)+len(v.Measures))
	for _, g := range v.Group {
		names = append(names, g.Name)
	}
	for _, m := range v.Measures {
		names = append(names, m.Name)
	}
	for _, name := range names {
		folded := strings.ToLower(name)
		if name == "" {
			return errors.New("a column has no name")
		}
		if seen[folded] {
			return fmt.Errorf("two columns have the name %s", name)
		}
		seen[folded] = true
	}
	if len(v.Measures) == 0 {
		return errors.New("it measures nothing")
	}
	return nil
}

// checkBoard fails if a view says that it is a leaderboard and is none.
func checkBoard(v *penstock.View) error {
	if !v.Board {
		return nil
	}
	if len(v.Group) != 1 || len(v.Measures) != 1 || v.Window != 0 {
		return errors.New("a leaderboard has one group, one measure and no window")
	}
	m := &v.Measures[0]
	switch m.Kind {
	case penstock.MeasureSum, penstock.MeasureMax, penstock.MeasureLatest:
	default:
		return fmt.Errorf("the score of a leaderboard is a sum, max or latest, not a %s", m.Kind)
	}
	if !isNumber(m.Of.Type) {
		return fmt.Errorf("the score of a leaderboard is a number, not a %s", m.Of.Type)
	}
	return nil
}

func isNumber(t penstock.ColumnType) bool {
	return t == penstock.Bigint || t == penstock.Double || t == penstock.Decimal
}

// measure makes a measure ready.
func (c *compiler) measure(of *penstock.Measure) (measure, error) {
	m := measure{kind: of.Kind, of: -1, typ: of.Of.Column, k: of.K}
	if of.Kind == penstock.MeasureCount {
		if of.Of != (penstock.Field{}) {
			return m, errors.New("a count is of rows, and not of a field")
		}
		m.choose()
		return m, nil
	}
	var err error
	if m.of, err = c.field(of.Of); err != nil {
		return m, err
	}
	if err := checkMeasure(of); err != nil {
		return m, err
	}
	m.shape = shapeOf(of.Of.Type)
	m.choose()
	return m, nil
}

// checkMeasure fails if a measure of this kind cannot be of this field.
func checkMeasure(m *penstock.Measure) error {
	t := m.Of.Type
	switch m.Kind {
	case penstock.MeasureSum, penstock.MeasureAvg:
		if !isNumber(t) {
			return fmt.Errorf("%s is of numbers, and %s is a %s", m.Kind, m.Of.Name, t)
		}
		if t == penstock.Decimal && m.Of.Precision > delta.AddendDigits {
			return fmt.Errorf("%s is a decimal of %d digits: the sum of more than %d could not be held", m.Of.Name, m.Of.Precision, delta.AddendDigits)
		}
	case penstock.MeasureMin, penstock.MeasureMax:
		if t == penstock.Boolean || t == penstock.JSON {
			return fmt.Errorf("%s is a %s, of which none is less than another", m.Of.Name, t)
		}
	case penstock.MeasureQuantile:
		if !isNumber(t) {
			return fmt.Errorf("a quantile is of numbers, and %s is a %s", m.Of.Name, t)
		}
		if !(m.Q >= 0 && m.Q <= 1) {
			return fmt.Errorf("there is no quantile %v: want 0 to 1", m.Q)
		}
	case penstock.MeasureTop:
		if m.K < 1 || m.K > sketch.MaxTop {
			return fmt.Errorf("there is no top of %d: want 1 to %d", m.K, sketch.MaxTop)
		}
	case penstock.MeasureUnique, penstock.MeasureLatest, penstock.MeasureFirst:
	default:
		return fmt.Errorf("the kind %q is not known", m.Kind)
	}
	return nil
}
