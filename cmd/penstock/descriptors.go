package main

import "syscall"

// File descriptors that are kept free of connections. Without them a flood of connections would take those with which the
// log goes on to its next segment and a shard opens its files.
const (
	shardDescriptors = 256 // a hundred files of rows, their write-ahead logs, and what is read beside
	otherDescriptors = 128 // the log's segments, metrics, profiles
)

// mostConnections is how many connections a listener has where descriptors are plenty.
const mostConnections = 16384

// connectionsOf returns how many connections fit beside a number of shards into a number of descriptors: a quarter at least,
// so that a server with few of them can be reached.
func connectionsOf(descriptors uint64, shards int) int {
	all := int(min(descriptors, 1<<30))
	return min(mostConnections, max(all/4, all-otherDescriptors-shardDescriptors*shards))
}

// maxConnections returns how many connections this process takes at once, and says so if they are fewer than usual.
func (e *engine) maxConnections() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return mostConnections // the limit is not known
	}
	shards := 0
	if e.o.roles.store() {
		shards = len(e.config.Store)
	}
	n := connectionsOf(limit.Cur, shards)
	if n < mostConnections {
		e.log.Warn("connections are capped, since this process may open few files", "connections", n, "files", limit.Cur)
	}
	return n
}
