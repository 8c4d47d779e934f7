package main

import (
	"fmt"
	"time"

	"penstock/internal/exampletest"
)

// sample is a value of a series, as it is sent.
type sample struct {
	ID     string    `json:"id"`
	At     time.Time `json:"time"`
	Series string    `json:"series"`
	Value  float64   `json:"value"`
	Labels labels    `json:"labels"`
}

type labels struct {
	Host string `json:"host"`
}

const (
	series = 150
	hosts  = 20
)

// happened returns an hour's samples, series by series. Few series are sampled every two seconds, most every fifteen; each is silent at times.
func happened() []sample {
	r := exampletest.NewRand(7)
	var all []sample
	for i := range series {
		every := 15 * time.Second
		switch {
		case i < 8:
			every = 2 * time.Second
		case i < 40:
			every = 5 * time.Second
		}
		value := 100 * r.Float64()
		name, host := fmt.Sprintf("series-%03d", i), fmt.Sprintf("host-%02d", i%hosts)
		silent := exampletest.Day().Add(time.Duration(r.Int64N(int64(time.Hour))))
		for at := exampletest.Day(); at.Before(exampletest.Day().Add(time.Hour)); at = at.Add(every) {
			value += r.NormFloat64()
			if at.After(silent) && at.Before(silent.Add(3*time.Minute)) {
				continue
			}
			s := sample{ID: fmt.Sprintf("%s-%d", name, at.Unix()), Series: name, Value: value, Labels: labels{host}}
			s.At = at.Add(time.Duration(r.Int64N(int64(every/time.Microsecond)/2)) * time.Microsecond)
			all = append(all, s)
		}
	}
	return all
}
