package main

import "testing"

func TestConnectionsLeaveDescriptors(t *testing.T) {
	for _, c := range []struct {
		descriptors  uint64
		shards, want int
	}{
		{1 << 20, 1, 16384}, {^uint64(0), 64, 16384}, {20000, 1, 16384}, {4096, 1, 3712}, {1024, 1, 640}, {1024, 0, 896},
		{1024, 8, 256}, {600, 1, 216}, {256, 1, 64}, {0, 1, 0},
	} {
		if got := connectionsOf(c.descriptors, c.shards); got != c.want {
			t.Errorf("%d descriptors, %d shards: %d connections, want %d", c.descriptors, c.shards, got, c.want)
		}
	}
}
