package embedded

import (
	"time"

	"penstock"
)

// Window is how long a stream's identities are remembered.
type Window struct {
	Configured time.Duration // 0: repeats are not recognised
	InForce    time.Duration // shorter where too many identities came, in the shard that forgets earliest
	IDs        int64         // about how many are remembered, in all shards
}

// Windows returns the window of each stream. It waits for no batch.
func (d *Database) Windows() map[string]Window {
	windows := map[string]Window{}
	for key, r := range *d.streams.Load() {
		w := Window{Configured: r.Dedup.Window, InForce: r.Dedup.Window}
		if !r.Dedup.On() {
			w = Window{}
		}
		for _, s := range d.shards {
			s.mu.RLock()
			index := s.ids
			s.mu.RUnlock()
			if index == nil {
				continue
			}
			inForce, ids := index.Window(penstock.DefaultTenant, key.name)
			w.InForce = min(w.InForce, inForce)
			w.IDs += ids
		}
		windows[key.name] = w
	}
	return windows
}
