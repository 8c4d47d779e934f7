package query

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"penstock"
)

// accepted returns the offered media type that the request's Accept likes best: of equal quality the one that it names
// most exactly, then first, then the first offered. Without Accept it is the first. It fails with Invalid, reason
// not_acceptable.
func accepted(r *http.Request, offers ...string) (string, error) {
	header := strings.Join(r.Header.Values("Accept"), ",")
	if strings.TrimSpace(header) == "" {
		return offers[0], nil
	}
	ranges := mediaRanges(header)
	best, liked := "", mediaRange{}
	for _, offer := range offers {
		m := match(ranges, offer)
		if m.quality > 0 && (best == "" || m.betterThan(liked)) {
			best, liked = offer, m
		}
	}
	if best == "" {
		return "", penstock.Refusef("not_acceptable", "choose format", "Accept has none of %s", strings.Join(offers, ", "))
	}
	return best, nil
}

// mediaRange is an element of Accept.
type mediaRange struct {
	name    string
	exact   int // 2: type and subtype, 1: type, 0: anything
	quality float64
	place   int
}

func (m mediaRange) betterThan(n mediaRange) bool {
	if m.quality != n.quality {
		return m.quality > n.quality
	}
	if m.exact != n.exact {
		return m.exact > n.exact
	}
	return m.place < n.place
}

// mediaRanges parses Accept. What is malformed matches nothing.
func mediaRanges(header string) []mediaRange {
	var ranges []mediaRange
	for i, element := range strings.Split(header, ",") {
		name, params, err := mime.ParseMediaType(element)
		if err != nil {
			continue
		}
		m := mediaRange{name: name, exact: 2, quality: 1, place: i}
		switch {
		case name == "*/*":
			m.exact = 0
		case strings.HasSuffix(name, "/*"):
			m.exact = 1
		}
		if q, ok := params["q"]; ok {
			if m.quality, err = strconv.ParseFloat(q, 64); err != nil || !(m.quality >= 0 && m.quality <= 1) {
				continue
			}
		}
		ranges = append(ranges, m)
	}
	return ranges
}

// match returns the range that speaks most exactly of a media type, the zero one if none does.
func match(ranges []mediaRange, offer string) mediaRange {
	kind, _, _ := strings.Cut(offer, "/")
	var found mediaRange
	for _, m := range ranges {
		if (m.name == offer || m.name == kind+"/*" || m.name == "*/*") && (found.name == "" || m.exact > found.exact) {
			found = m
		}
	}
	return found
}
