package query

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"penstock"
)

// viewBase is what questions to views have in common.
type viewBase struct {
	view     penstock.View
	want     penstock.Positions // that the answer must have reached
	patience time.Duration      // for that
}

// viewAsk is a request for rows of a view.
type viewAsk struct {
	viewBase
	query    penstock.ViewQuery
	keys     []string // the columns by which rows are ordered, which no two rows have the same
	question string   // that a cursor belongs to
	format   string   // a media type
}

// defaultViewPage is how many rows an answer has if the request names no limit.
const defaultViewPage = 100

// wherePrefix begins the parameters that name a group column.
const wherePrefix = "where."

func (a *API) serveView(w http.ResponseWriter, r *http.Request) error {
	q, err := a.readViewAsk(r)
	if err != nil {
		return err
	}
	var page viewPage
	err = a.askViewer(w, r, q.viewBase, func(ctx context.Context, asOf string) error {
		page = viewPage{view: q.view.Name, asOf: asOf}
		return a.readViewPage(ctx, q, &page)
	})
	if err != nil {
		return err
	}
	return a.writeViewPage(w, q.format, page)
}

// readViewAsk reads a request as far as it can be judged without asking the Viewer, which knows the columns.
func (a *API) readViewAsk(r *http.Request) (viewAsk, error) {
	var q viewAsk
	var err error
	if q.format, err = accepted(r, formatsFor(r)...); err != nil {
		return q, err
	}
	p := paramsOf(r, append(whereNames(r), "from", "to", "every", "order", "limit", "cursor", "after", "timeout")...)
	q.query = penstock.ViewQuery{View: r.PathValue("view"), Limit: p.Limit("limit", defaultViewPage, a.o.Limits.Page)}
	q.query.Where = p.where()
	q.query.From, q.query.To = p.period()
	q.query.Every, q.query.Whole = p.every()
	q.query.Order, q.query.Down = p.order()
	if q.viewBase, err = a.completeView(p, q.query.View); err != nil {
		return q, err
	}
	q.keys = keysOf(q.view, q.query)
	q.question = questionOf(q.view, q.query)
	if token := p.Values.Get("cursor"); token != "" {
		q.query.After, err = a.openRow(q, token)
	}
	return q, err
}

// completeView checks what all questions to a view have.
func (a *API) completeView(p *params, view string) (viewBase, error) {
	b := viewBase{patience: p.duration("timeout", p.Values.Get("timeout"), a.o.Limits.Wait, a.o.Limits.Timeout)}
	b.want = p.receipts(p.Values["after"], a.o.Cluster.ID, a.o.Limits.Receipts)
	if p.Err != nil {
		return b, p.Err
	}
	var err error
	b.view, err = a.findView(view)
	return b, err
}

// whereNames returns the parameters of a request that name a group column, each once.
func whereNames(r *http.Request) []string {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil // which paramsOf refuses
	}
	var names []string
	for name := range values {
		if strings.HasPrefix(name, wherePrefix) && name != wherePrefix && utf8.ValidString(name) {
			names = append(names, name)
		}
	}
	return names
}

// where returns the values of group columns that are asked for; nil: any.
func (p *params) where() map[string]string {
	var where map[string]string
	for name, list := range p.Values {
		column, ok := strings.CutPrefix(name, wherePrefix)
		if !ok || len(list) == 0 {
			continue
		}
		if where == nil {
			where = map[string]string{}
		}
		where[column] = list[0]
	}
	return where
}

// every returns the step of time to which windows are merged: zero is the view's own, whole merges all.
func (p *params) every() (step time.Duration, whole bool) {
	text := p.Values.Get("every")
	if text == "" || text == "all" {
		return 0, text == "all"
	}
	var err error
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 15) // so many days are no overflow
		step = time.Duration(n) * 24 * time.Hour
	} else {
		step, err = time.ParseDuration(text)
	}
	if err != nil || step <= 0 || step%time.Microsecond != 0 {
		p.Fail("bad_parameter", "every is all, or a time such as 1m, 1h or 1d")
		return 0, false
	}
	return step, false
}

// order returns the column by which rows are ordered first, and whether from its largest value down.
func (p *params) order() (column string, down bool) {
	text := p.Values.Get("order")
	column, down = strings.CutPrefix(text, "-")
	if text != "" && column == "" {
		p.Fail("bad_parameter", "order is a column, or - and a column")
	}
	return column, down
}

// keysOf returns the columns that tell the rows of an answer apart, in the order in which the answer is ordered by them: that of
// the query, then time and group.
func keysOf(v penstock.View, q penstock.ViewQuery) []string {
	var keys []string
	for _, key := range append([]string{q.Order}, leading(v, q)...) {
		if key != "" && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// leading returns the columns with which an answer begins: time, if rows have one, and group.
func leading(v penstock.View, q penstock.ViewQuery) []string {
	var names []string
	if v.Window > 0 && !q.Whole {
		names = append(names, penstock.TimeColumn)
	}
	for _, f := range v.Group {
		names = append(names, f.Name)
	}
	return names
}

// questionOf returns what a cursor of the answer belongs to: the view as it is now, and all that decides which rows there are and in which
// order.
func questionOf(v penstock.View, q penstock.ViewQuery) string {
	var b strings.Builder
	fmt.Fprintf(&b, "view %q %d", v.Name, v.Window)
	for _, f := range v.Group {
		fmt.Fprintf(&b, " %q %s %d %d", f.Name, f.Type, f.Precision, f.Scale)
	}
	fmt.Fprintf(&b, "; %d %d %d %t %q %t", q.From, q.To, q.Every, q.Whole, q.Order, q.Down)
	for _, column := range sortedKeys(q.Where) {
		fmt.Fprintf(&b, " %q=%q", column, q.Where[column])
	}
	return b.String()
}
