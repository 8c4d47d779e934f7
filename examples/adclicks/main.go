// Command adclicks shows what advertisers ask of clicks: per campaign and hour how many, by how many visitors, what they cost, and which ads
// are hot.
package main

import (
	"context"
	"time"

	"penstock/client"
	"penstock/internal/exampletest"
)

func main() { exampletest.Main("adclicks", play) }

type (
	table = exampletest.Table[click]
	cell  = exampletest.Cell
	row   = exampletest.Row
)

func play(ctx context.Context, s *exampletest.Server) error {
	all := happened()
	if err := exampletest.Send(ctx, s, "clicks", exampletest.Arrivals(exampletest.NewRand(2), all, at)); err != nil {
		return err
	}
	const one = "campaign-01"
	from, to := exampletest.Day().Add(6*time.Hour), exampletest.Day().Add(12*time.Hour)
	morning := exampletest.Those(all, func(c click) bool { return c.Campaign == one && !c.At.Before(from) && c.At.Before(to) })
	hours := table{Group: "campaign", Row: campaign, Cell: func(c click) cell {
		return cell{Time: c.At.Truncate(time.Hour), Group: c.Campaign}
	}}
	day := table{Group: "campaign", Row: campaign, Order: spend, Cell: func(c click) cell { return cell{Group: c.Campaign} }}
	perAd := table{Group: "ad", Row: oneAd, Order: count, Cell: func(c click) cell { return cell{Group: c.Ad} }}
	return s.Ask(ctx,
		exampletest.Question{
			What: "each campaign and hour", Want: hours.Rows(all),
			View: client.ViewQuery{View: "campaign_hours", Limit: 250},
		},
		exampletest.Question{
			What: "one campaign's morning", Want: hours.Rows(morning),
			View: client.ViewQuery{
				View: "campaign_hours", Where: map[string]string{"campaign": one},
				From: from.Format(time.RFC3339), To: to.Format(time.RFC3339),
			},
		},
		exampletest.Question{
			What: "the whole day, who spends most first", Want: day.Rows(all),
			View: client.ViewQuery{View: "campaign_hours", Every: "all", Order: "-spend"},
		},
		exampletest.Question{
			What: "the ten hottest ads, counted", Want: perAd.Rows(all), First: 10,
			View: client.ViewQuery{View: "ad_days", Every: "all", Order: "-clicks"},
		},
		exampletest.Question{
			What: "the ten hottest ads, estimated", Want: table{Row: hot}.Rows(all),
			View: client.ViewQuery{View: "hot_ads", Every: "all"},
		},
	)
}

// campaign is what clicks of a campaign come to.
func campaign(of []click) row {
	visitors := exampletest.Different(exampletest.Of(of, func(c click) string { return c.Visitor }))
	return row{
		"clicks": exampletest.Whole(len(of)), "visitors": exampletest.Unique(visitors), "spend": cost(of), "hot": exampletest.Top(exampletest.Of(of, ad), 10),
	}
}

func oneAd(of []click) row { return row{"clicks": exampletest.Whole(len(of)), "spend": cost(of)} }

// hot is what clicks of more ads than a sketch has counters for come to.
func hot(of []click) row {
	return row{"clicks": exampletest.Whole(len(of)), "hot": exampletest.Top(exampletest.Of(of, ad), 10)}
}

func at(c click) time.Time { return c.At }

func ad(c click) string { return c.Ad }

func cost(of []click) exampletest.Want { return exampletest.Fixed(units(of), 4) }

func count(of []click) float64 { return float64(len(of)) }

func spend(of []click) float64 { return float64(units(of)) }

func units(of []click) int64 { return exampletest.Sum(of, func(c click) int64 { return c.cost }) }
