package main

import (
	"fmt"
	"time"

	"penstock/internal/exampletest"
)

// result is the end of a game, as it is sent.
type result struct {
	ID     string    `json:"id"`
	At     time.Time `json:"time"`
	Player string    `json:"player"`
	Points int64     `json:"points"` // below 0: it was taken back
}

const (
	results = 50_000
	players = 8_000
)

// happened returns a day's results in the order in which the games ended. Points are few, so that many players have the same score.
func happened() []result {
	r := exampletest.NewRand(15)
	player := exampletest.Zipf(r, 1.05, players)
	all := make([]result, results)
	for i, at := range exampletest.Moments(r, results, exampletest.Day(), 24*time.Hour) {
		all[i] = result{ID: fmt.Sprintf("game-%06d", i), At: at, Player: fmt.Sprintf("player-%04d", player()), Points: 1 + r.Int64N(400)}
		if r.IntN(50) == 0 {
			all[i].Points *= -1
		}
	}
	return all
}
