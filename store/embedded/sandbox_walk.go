package embedded

import (
	"encoding/json"
	"strings"

	"penstock"
)

// checker walks a tree of json_serialize_sql. A node is an object; what it is, its members class and type say. Members
// of a node that passed are walked whatever their names, so that no sub-tree escapes.
type checker struct {
	known  map[string]bool
	tables map[string]bool // what the statement reads
	nodes  int

	parameters map[string]bool // by their names
	patterns   []pattern       // that hold some
}

// place is where in the tree a node stands: how deep, and which common table expressions are in scope there. It is
// passed by value and its scope is never changed, only extended by a longer list.
type place struct {
	depth int
	ctes  *cte
}

// cte is a linked list, innermost name first.
type cte struct {
	name  string
	outer *cte
}

func (p place) with(name string) place {
	p.ctes = &cte{strings.ToLower(name), p.ctes}
	return p
}

func (p place) sees(name string) bool {
	for c := p.ctes; c != nil; c = c.outer {
		if c.name == name {
			return true
		}
	}
	return false
}

type object = map[string]any

// The kinds of nodes that hold nothing to check but their children.
var (
	plainClasses = setOf("CASE", "COMPARISON", "CONJUNCTION", "LAMBDA", "LAMBDA_REF", "OPERATOR",
		"POSITIONAL_REFERENCE", "STAR", "SUBQUERY", "BETWEEN", "CAST")
	plainTypes = setOf(
		"ORDER_MODIFIER", "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER", "DISTINCT_MODIFIER",
		"ORDER_DEFAULT", "ASCENDING", "DESCENDING",
		"EMPTY", "JOIN", "SUBQUERY", "EXPRESSION_LIST", "PIVOT",
		"DECIMAL_TYPE_INFO", "LIST_TYPE_INFO", "STRUCT_TYPE_INFO", "ARRAY_TYPE_INFO", "STRING_TYPE_INFO")
)

func setOf(words ...string) map[string]bool {
	set := make(map[string]bool, len(words))
	for _, w := range words {
		set[w] = true
	}
	return set
}

func text(o object, member string) string {
	s, _ := o[member].(string)
	return s
}

// walk checks a value of the tree and everything below it.
func (c *checker) walk(v any, at place) error {
	at.depth++
	if c.nodes++; c.nodes > maxStatementNodes || at.depth > maxStatementDepth {
		return tooLarge()
	}
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if err := c.walk(e, at); err != nil {
				return err
			}
		}
	case object:
		return c.node(v, at)
	case nil, string, bool, json.Number:
	default:
		return forbidf("the statement holds a %T", v)
	}
	return nil
}

// children walks all members of a node.
func (c *checker) children(o object, at place) error {
	for _, v := range o {
		if err := c.walk(v, at); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) node(o object, at place) error {
	if o["class"] != nil {
		return c.expression(o, at)
	}
	switch t := o["type"].(type) {
	case nil, object: // parts of a node that have no kind of their own; a constant's type is an object
		return c.children(o, at)
	case string:
		return c.typed(t, o, at)
	default:
		return forbidf("the statement holds a node of type %T", t)
	}
}

// typed checks a node that is not an expression.
func (c *checker) typed(t string, o object, at place) error {
	switch t {
	case "SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE":
		return c.query(o, at)
	case "BASE_TABLE":
		if err := c.table(o, at); err != nil {
			return err
		}
	case "TABLE_FUNCTION":
		return c.tableFunction(o, at)
	case "SHOW_REF": // DESCRIBE and SUMMARIZE of a query are that query; SHOW of anything else lists the catalog
		if show := text(o, "show_type"); o["query"] == nil || show != "DESCRIBE" && show != "SUMMARY" {
			return forbidf("SHOW is not answered here; SELECT from penstock.streams instead")
		}
	case "UNBOUND_TYPE_INFO":
		if name := strings.ToLower(text(o, "name")); name != "json" || text(o, "schema")+text(o, "catalog") != "" {
			return forbidf("type %.64s is not answered here", name)
		}
	default:
		if !plainTypes[t] {
			return forbidf("%s is not answered here", t)
		}
	}
	return c.children(o, at)
}

// query checks a SELECT, a set operation or a recursive expression with the common table expressions that it brings.
// Each is in scope for the ones after it and for the query, but not for itself: WITH a AS (SELECT * FROM a) reads
// the table a. Only the second half of a recursive expression sees its own name.
func (c *checker) query(o object, at place) error {
	list, _ := o["cte_map"].(object)
	entries, _ := list["map"].([]any)
	for _, e := range entries {
		entry, _ := e.(object)
		name := text(entry, "key")
		if !plainName(name) {
			return forbidf("a common table expression may not be called %.64q", name)
		}
		if err := c.walk(entry["value"], at); err != nil {
			return err
		}
		at = at.with(name)
	}
	recursive := text(o, "type") == "RECURSIVE_CTE_NODE"
	for member, v := range o {
		where := at
		if recursive && member == "right" {
			where = at.with(text(o, "cte_name"))
		}
		if member == "cte_map" {
			continue
		}
		if err := c.walk(v, where); err != nil {
			return err
		}
	}
	return nil
}

// plainName reports whether a name cannot be taken for anything of DuckDB's own, or for a file.
func plainName(name string) bool {
	name = strings.ToLower(name)
	if name == "" || strings.HasPrefix(name, "duckdb_") || strings.HasPrefix(name, "pg_") ||
		strings.HasPrefix(name, "sqlite_") || strings.HasPrefix(name, "pragma_") || name == "information_schema" {
		return false
	}
	for _, r := range name {
		if r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			return false
		}
	}
	return true
}

// table checks a name in FROM.
func (c *checker) table(o object, at place) error {
	name, schema := strings.ToLower(text(o, "table_name")), strings.ToLower(text(o, "schema_name"))
	if text(o, "catalog_name") != "" || o["at_clause"] != nil || schema != "" && schema != "penstock" {
		return forbidf("table %.64q is not answered here: only streams, views and penstock.*", name)
	}
	if schema == "" && at.sees(name) {
		return nil
	}
	full := name
	if schema != "" {
		full = schema + "." + name
	}
	switch {
	case c.known[full]:
		c.tables[full] = true
		return nil
	case !plainName(name):
		return forbidf("table %.64q is not answered here: only streams, views and penstock.*", name)
	}
	return penstock.Refusef("bad_query", "check statement", "there is no stream or view %.64q", full)
}

// expression checks a node that computes a value.
func (c *checker) expression(o object, at place) error {
	switch class := text(o, "class"); class {
	case "CONSTANT":
		return nil
	case "FUNCTION", "WINDOW":
		if err := checkCall(o, false); err != nil {
			return err
		}
		if err := c.pattern(o); err != nil {
			return err
		}
	case "COLUMN_REF":
		if err := columnRef(o); err != nil {
			return err
		}
	case "PARAMETER":
		c.parameters[text(o, "identifier")] = true
	case "COLLATE":
		if name := strings.ToLower(text(o, "collation")); name != "nocase" && name != "noaccent" && name != "binary" {
			return forbidf("collation %.64q is not answered here", name)
		}
	default:
		if !plainClasses[class] {
			return forbidf("%s is not answered here", class)
		}
	}
	return c.children(o, at)
}

// columnRef refuses the names that DuckDB turns into calls when there is no such column and that tell about the process.
func columnRef(o object) error {
	names, _ := o["column_names"].([]any)
	if len(names) != 1 {
		return nil
	}
	name, _ := names[0].(string)
	switch name = strings.ToLower(name); name {
	case "current_catalog", "current_schema", "current_database", "current_query":
		return forbidf("%s is not answered here", name)
	}
	return nil
}

// tableFunction checks a function in FROM.
func (c *checker) tableFunction(o object, at place) error {
	f, _ := o["function"].(object)
	if text(f, "class") != "FUNCTION" {
		return forbidf("a table function that is no function")
	}
	if err := checkCall(f, true); err != nil {
		return err
	}
	for member, v := range o {
		if member == "function" {
			if err := c.children(f, at); err != nil { // the function itself was checked as a table function
				return err
			}
			continue
		}
		if err := c.walk(v, at); err != nil {
			return err
		}
	}
	return nil
}

// checkCall checks the name of a call against the allow-list, and the size of what it makes.
func checkCall(o object, inFrom bool) error {
	allowed := scalarFunctions()
	if inFrom {
		allowed = tableFunctions()
	}
	name, schema := strings.ToLower(text(o, "function_name")), text(o, "schema")
	if text(o, "catalog") != "" || schema != "" && schema != "main" || !allowed[name] {
		return forbidf("function %.64s is not answered here", name)
	}
	return checkSize(name, o, inFrom)
}
