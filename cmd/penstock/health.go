package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"

	"penstock"
	"penstock/internal/edge"
)

// registerHealth adds the routes that every role has.
func (s *server) registerHealth() {
	handle := func(pattern string, scope edge.Scope, answer func() any) {
		s.guard.Handle(pattern, scope, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			edge.WriteJSON(w, http.StatusOK, answer())
		}))
	}
	handle("GET /healthz", edge.None, func() any { return map[string]string{"status": "ok"} })
	handle("GET /version", edge.Read, func() any { return readBuildInfo() })
	handle("GET /v1/cluster", edge.Admin, func() any { return s.identity() })
	s.guard.Handle("GET /readyz", edge.None, http.HandlerFunc(s.serveReady))
	s.guard.Handle("GET /metrics", edge.Read, s.metrics.handler(s.refreshMetrics))
}

// identity is what another installation's configuration has to name to go on with this one's data. It holds a secret.
func (s *server) identity() any {
	return clusterIdentity{ID: s.cluster.ID, PartitionKey: hex.EncodeToString(s.cluster.Key[:]), Partitions: s.cluster.Partitions}
}

type clusterIdentity struct {
	ID           string `json:"id"`
	PartitionKey string `json:"partition_key"`
	Partitions   int    `json:"partitions"`
}

// roleState says whether a role does its work now.
type roleState struct {
	Ready  bool   `json:"ready"`
	Reason string `json:"reason,omitempty"` // the stable word by which clients know an error
}

func stateOf(err error) roleState {
	if err == nil {
		return roleState{Ready: true}
	}
	return roleState{Reason: edge.Reason(err)}
}

// readiness says of each role of this process whether it does its work now.
func (s *server) readiness(ctx context.Context) map[string]roleState {
	roles := map[string]roleState{}
	if s.door != nil {
		roles["ingest"] = stateOf(s.doorReady())
	}
	if s.o.roles.consumer {
		roles["consumer"] = stateOf(s.consumerReady(ctx))
	}
	if s.query != nil {
		roles["query"] = stateOf(s.notEnding())
	}
	return roles
}

func (s *server) notEnding() error {
	if s.ending.Load() {
		return &penstock.Error{Code: penstock.Unavailable, Op: "serve", Reason: "shutting_down"}
	}
	return nil
}

// doorReady returns why an event would be refused now, or nil.
func (s *server) doorReady() error {
	if err := s.notEnding(); err != nil {
		return err
	}
	limits := s.config.Limits
	if s.door.InFlight()+penstock.Bytes(limits.Event) > penstock.Bytes(limits.InFlight) {
		return penstock.Errorf(penstock.Overloaded, "admit request", "too many bytes are in flight")
	}
	return s.journal.Ready(penstock.Bytes(limits.Event))
}

// consumerReady returns why what comes would not be applied now, or nil.
func (s *server) consumerReady(ctx context.Context) error {
	if err := s.notEnding(); err != nil {
		return err
	}
	var all []error
	for _, p := range s.pumps {
		all = append(all, p.ready())
	}
	for _, partition := range s.store.Partitions() {
		_, err := s.store.Position(ctx, partition)
		all = append(all, err)
	}
	return errors.Join(all...)
}

// notReady is a problem document that also says which role it is.
type notReady struct {
	Type    string               `json:"type"`
	Title   string               `json:"title"`
	Status  int                  `json:"status"`
	Code    string               `json:"code"`
	Detail  string               `json:"detail"`
	Outcome string               `json:"outcome"`
	Ready   bool                 `json:"ready"`
	Roles   map[string]roleState `json:"roles"`
}

func (s *server) serveReady(w http.ResponseWriter, r *http.Request) {
	roles := s.readiness(r.Context())
	for _, state := range roles {
		if !state.Ready {
			w.Header().Set("Retry-After", "1")
			writeProblem(w, notReady{
				Type: "urn:penstock:problem:not_ready", Title: http.StatusText(http.StatusServiceUnavailable),
				Status: http.StatusServiceUnavailable, Code: "not_ready", Detail: "a role does not do its work now",
				Outcome: "not_stored", Roles: roles,
			})
			return
		}
	}
	edge.WriteJSON(w, http.StatusOK, struct {
		Ready bool                 `json:"ready"`
		Roles map[string]roleState `json:"roles"`
	}{true, roles})
}

func writeProblem(w http.ResponseWriter, p notReady) {
	body, err := json.Marshal(p)
	if err != nil {
		body = nil // it has only texts
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(body, '\n')) // a client that went away is not our error
}
