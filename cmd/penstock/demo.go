package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"
)

// demoRate is how many events a second `dev --demo` sends: enough to see movement, too few to hear a fan.
const demoRate = 50

// checkDemo refuses what the demonstration's traffic could not do.
func checkDemo(c *Config, demo bool) error {
	switch {
	case demo && c.TLS != (TLSConfig{}):
		return usagef("--demo speaks plain HTTP, and the configuration has tls")
	case demo && len(c.Tokens) > 0 && demoToken(c) == "":
		return usagef("--demo needs a token that allows write, and the configuration has none")
	}
	return nil
}

// demoToken returns the secret of a token that allows to write, "" if there is none.
func demoToken(c *Config) string {
	for _, t := range c.Tokens {
		if slices.Contains(t.Allow, "write") || slices.Contains(t.Allow, "admin") {
			return t.Secret
		}
	}
	return ""
}

// sendDemo posts clicks to a running server until ctx ends: half of them on one link, so that a hot key is there to be
// seen, the rest spread over two hundred.
func sendDemo(ctx context.Context, url, token string) {
	transport := &http.Transport{MaxIdleConnsPerHost: 1}
	defer transport.CloseIdleConnections()
	sender := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	tick := time.NewTicker(time.Second / demoRate)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			postDemo(ctx, sender, url+"/v1/streams/clicks/events", token)
		}
	}
}

func demoClick() string {
	link := "launch"
	if rand.IntN(2) == 0 {
		link = fmt.Sprintf("link-%d", rand.IntN(200))
	}
	countries := [...]string{"DE", "FR", "US", "BR", "IN", "JP"}
	return fmt.Sprintf(`{"key":%q,"link":%q,"country":%q,"latency_ms":%d}`,
		link, link, countries[rand.IntN(len(countries))], 5+rand.IntN(200))
}

// postDemo sends one event; the demo shows a server, so what goes wrong is left to the server to say.
func postDemo(ctx context.Context, sender *http.Client, url, token string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(demoClick()))
	if err != nil {
		return
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := sender.Do(req)
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, resp.Body) // so that the connection serves the next one
	resp.Body.Close()
}
