// Command pageviews shows what a site asks of its page views: views and visitors per page and day, and how many visits end where they began.
package main

import (
	"context"
	"time"

	"penstock/client"
	"penstock/internal/exampletest"
)

func main() { exampletest.Main("pageviews", play) }

type (
	table = exampletest.Table[event]
	cell  = exampletest.Cell
	row   = exampletest.Row
)

const day = 24 * time.Hour

func play(ctx context.Context, s *exampletest.Server) error {
	all := happened()
	sent := exampletest.Arrivals(exampletest.NewRand(4), all, func(e event) time.Time { return e.At })
	if err := exampletest.Send(ctx, s, "pages", sent); err != nil {
		return err
	}
	views := exampletest.Those(all, func(e event) bool { return e.Kind == "view" && e.person() })
	leaves := exampletest.Those(all, func(e event) bool { return e.Kind == "leave" && e.person() })
	bounces := exampletest.Those(leaves, func(e event) bool { return e.Pages == 1 })
	perDay := table{Group: "page", Row: page, Cell: func(e event) cell { return cell{Time: e.At.Truncate(day), Group: e.Page} }}
	perWeek := table{Group: "page", Row: page, Cell: func(e event) cell { return cell{Time: thursday(e.At), Group: e.Page} }}
	most := table{Group: "page", Row: page, Order: count, Cell: func(e event) cell { return cell{Group: e.Page} }}
	err := s.Ask(ctx,
		exampletest.Question{What: "each page and day", View: client.ViewQuery{View: "page_days", Limit: 500}, Want: perDay.Rows(views)},
		exampletest.Question{What: "each page and week", View: client.ViewQuery{View: "page_days", Every: "7d"}, Want: perWeek.Rows(views)},
		exampletest.Question{
			What: "the twenty most seen pages", Want: most.Rows(views), First: 20,
			View: client.ViewQuery{View: "page_days", Every: "all", Order: "-views"},
		},
		exampletest.Question{What: "visits per landing page and day", View: client.ViewQuery{View: "visit_days"}, Want: landings(visit).Rows(leaves)},
		exampletest.Question{What: "bounces per landing page and day", View: client.ViewQuery{View: "bounce_days"}, Want: landings(bounce).Rows(bounces)},
	)
	if err != nil {
		return err
	}
	return askRates(ctx, s, leaves)
}

// thursday returns the beginning of a week: steps of seven days begin on the weekday of 1 January 1970.
func thursday(t time.Time) time.Time {
	days := t.Unix() / 86400
	return time.Unix((days-days%7)*86400, 0)
}

// askRates asks for the share of visits with one page, of the two views that are tables of SQL too.
func askRates(ctx context.Context, s *exampletest.Server, leaves []event) error {
	rates := table{
		Group: "landing", Cell: func(e event) cell { return cell{Group: e.Landing} },
		Row: func(of []event) row {
			bounced := len(exampletest.Those(of, func(e event) bool { return e.Pages == 1 }))
			return row{"visits": exampletest.Whole(len(of)), "bounce_rate": exampletest.Rounded(float64(bounced) / float64(len(of)))}
		},
		Order: count,
	}
	return s.SQL(ctx, "bounce rates of the ten landing pages with most visits",
		"SELECT v.landing, cast(sum(v.visits) AS bigint) AS visits, cast(sum(coalesce(b.bounces, 0)) AS double) / sum(v.visits) AS bounce_rate"+
			" FROM visit_days v LEFT JOIN bounce_days b ON b.landing = v.landing AND b.time = v.time"+
			" GROUP BY v.landing ORDER BY visits DESC, v.landing LIMIT 10", rates.Rows(leaves)[:10])
}

func count(of []event) float64 { return float64(len(of)) }

func landings(measures func([]event) row) table {
	return table{Group: "landing", Row: measures, Cell: func(e event) cell { return cell{Time: e.At.Truncate(day), Group: e.Landing} }}
}

func page(of []event) row {
	visitors := exampletest.Different(exampletest.Of(of, func(e event) string { return e.Visitor }))
	return row{"views": exampletest.Whole(len(of)), "visitors": exampletest.Unique(visitors)}
}

func visit(of []event) row {
	pages := exampletest.Sum(of, func(e event) int64 { return int64(e.Pages) })
	return row{
		"visits": exampletest.Whole(len(of)), "pages": exampletest.Whole(pages), "mean": exampletest.Rounded(float64(pages) / float64(len(of))),
	}
}

func bounce(of []event) row { return row{"bounces": exampletest.Whole(len(of))} }
