package main

import (
	"net/http"
	"net/http/pprof"

	"penstock/internal/edge"
)

// serveDebug serves profiles on a listener of its own, which only this machine reaches: they show what the process holds
// in memory. It returns how to end it.
func serveDebug(addr string, log func(line string)) (end func(), err error) {
	if !onLoopback(addr) {
		return nil, usagef("--debug-listen %s: profiles are for this machine alone, want an address such as 127.0.0.1:6060", addr)
	}
	guard := edge.NewGuard(edge.GuardOptions{})
	for pattern, handler := range map[string]http.HandlerFunc{
		"GET /debug/pprof/":        pprof.Index,
		"GET /debug/pprof/cmdline": pprof.Cmdline,
		"GET /debug/pprof/profile": pprof.Profile,
		"GET /debug/pprof/symbol":  pprof.Symbol,
		"GET /debug/pprof/trace":   pprof.Trace,
	} {
		guard.Handle(pattern, edge.None, handler)
	}
	listener, err := edge.Listen(addr, edge.ListenOptions{MaxConns: 16})
	if err != nil {
		return nil, err
	}
	server := edge.NewServer(guard, edge.ServerOptions{Log: log})
	go func() { _ = server.Serve(listener) }() // it ends with an error that says that it was closed
	log("profiles at http://" + listener.Addr().String() + "/debug/pprof/")
	return func() { _ = server.Close() }, nil
}
