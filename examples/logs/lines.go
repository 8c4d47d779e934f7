package main

import (
	"fmt"
	"math"
	"time"

	"penstock/internal/exampletest"
)

// line is a line of a log, as it is sent.
type line struct {
	ID       string    `json:"id"`
	At       time.Time `json:"time"`
	Host     string    `json:"host"`
	Service  string    `json:"service"`
	Level    string    `json:"level"`
	Message  string    `json:"message"`
	Route    string    `json:"route,omitempty"`
	Duration *float64  `json:"duration_ms,omitempty"` // of a request
}

const (
	lines    = 70_000
	services = 12
	hosts    = 40
	routes   = 80
)

// happened returns three hours of lines in the order in which they were written. For ten minutes service-02 fails in two of five.
func happened() []line {
	r := exampletest.NewRand(5)
	service, route := exampletest.Zipf(r, 1.3, services), exampletest.Zipf(r, 1.4, routes)
	trouble := exampletest.Day().Add(time.Hour)
	all := make([]line, lines)
	for i, at := range exampletest.Moments(r, lines, exampletest.Day(), 3*time.Hour) {
		l := &all[i]
		l.ID, l.At, l.Host = fmt.Sprintf("line-%06d", i), at, fmt.Sprintf("host-%02d", r.IntN(hosts))
		l.Service = fmt.Sprintf("service-%02d", service())
		l.Level, l.Message = "info", "served"
		wrong := 20 // of a thousand
		if l.Service == "service-02" && at.After(trouble) && at.Before(trouble.Add(10*time.Minute)) {
			wrong = 400
		}
		if r.IntN(1000) < wrong {
			l.Level, l.Message = "error", fmt.Sprintf("%q did not answer: request %d", "store-"+fmt.Sprint(r.IntN(9)), i)
		}
		if r.IntN(5) > 0 {
			duration := math.Exp(3 + r.NormFloat64())
			l.Route, l.Duration = fmt.Sprintf("/v1/route-%02d", route()), &duration
		}
	}
	return all
}
