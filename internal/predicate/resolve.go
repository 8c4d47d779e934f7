package predicate

import (
	"strings"

	"penstock"
	"penstock/internal/jsonscan"
)

// resolve returns the operand that a name stands for.
func (p *parser) resolve(name token) term {
	o := Operand{Path: name.path, At: name.at}
	t := term{kind: valueTerm, domain: dynamic}
	if len(name.path) == 1 {
		alone := name.path[0]
		if kind, ok := builtIn(alone); ok {
			o, t.kind, t.domain = Operand{Source: BuiltIn, Name: alone, At: name.at}, kind, moment
			if kind == idTerm || kind == keyTerm {
				t.domain = textual
			}
		} else if column := p.column(name); column != nil {
			o, t.domain = p.declared(column, name)
		}
	}
	list := &p.inEvent
	if o.Source == BuiltIn {
		list = &p.builtIns
	}
	at, known := p.known[o.String()]
	if !known {
		at = len(*list)
		p.known[o.String()] = at
		*list = append(*list, o)
	}
	t.slot, t.operand = at, (*list)[at]
	return t
}

// column returns the column of that name, or nil. It fails if there is one that is meant but spelled otherwise.
func (p *parser) column(name token) *penstock.Column {
	alone := name.path[0]
	for i := range p.columns {
		if p.columns[i].Name == alone {
			return &p.columns[i]
		}
	}
	if name.word == "" || name.word == alone {
		return nil
	}
	_, meant := builtIn(name.word)
	for _, c := range p.columns {
		meant = meant || c.Name == name.word
	}
	if meant {
		p.fail(name.at, `found %s: the column is %s; a member of the event that is spelled so is in quotes: "%s"`, alone, name.word, alone)
	}
	return nil
}

// declared returns the operand and the domain of a column.
func (p *parser) declared(c *penstock.Column, name token) (Operand, domain) {
	o := Operand{Source: Column, Name: c.Name, Column: *c, At: name.at}
	path, err := jsonscan.ParsePath(c.Path)
	as, ok := domainOf(c.Type)
	if err != nil || !ok {
		p.fail(name.at, "the column %s has no type and path that can be read: %s %s", excerpt(c.Name), c.Type, strings.TrimSpace(c.Path))
	}
	o.Path = path
	return o, as
}
