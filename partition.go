package penstock

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// PartitionKey is a secret of the cluster that keys the choice of partitions, so that a sender cannot aim at one.
type PartitionKey [16]byte

// Fingerprint identifies the key without revealing it. Log and shards keep it; a mismatch refuses to start.
func (k PartitionKey) Fingerprint() string {
	sum := sha256.Sum256(append([]byte("penstock partition key\x00"), k[:]...))
	return hex.EncodeToString(sum[:8])
}

// Cluster is what log, shards and receipts of one installation have in common. It is chosen once.
type Cluster struct {
	ID         string // 32 hexadecimal digits
	Key        PartitionKey
	Partitions int
}

// Validate checks the ranges that every backend relies on.
func (c Cluster) Validate() error {
	if raw, err := hex.DecodeString(c.ID); err != nil || len(raw) != 16 {
		return Errorf(Invalid, "check cluster", "id %q is not 32 hexadecimal digits", c.ID)
	}
	if c.Partitions < 1 || c.Partitions > MaxPartitions {
		return Errorf(Invalid, "check cluster", "partitions %d is not within 1 to %d", c.Partitions, MaxPartitions)
	}
	return nil
}

// Mismatch names the first difference between c and what a log or shard was made with, or returns nil.
func (c Cluster) Mismatch(id, fingerprint string, partitions int) error {
	switch {
	case id != c.ID:
		return Errorf(Conflict, "check identity", "cluster is %s here and %s there", c.ID, id)
	case partitions != c.Partitions:
		return Errorf(Conflict, "check identity", "partitions are %d here and %d there", c.Partitions, partitions)
	case fingerprint != c.Key.Fingerprint():
		return Errorf(Conflict, "check identity", "partition key is %s here and %s there", c.Key.Fingerprint(), fingerprint)
	}
	return nil
}

// MaxPartitions bounds the number of partitions of a cluster.
const MaxPartitions = 1024

// All returns the partitions 0 to n-1.
func All(n int) []Partition {
	all := make([]Partition, n)
	for i := range all {
		all[i] = Partition(i)
	}
	return all
}

// Partitioner assigns events to partitions: one pure function, used by every backend.
// It may be used concurrently.
type Partitioner struct {
	k0, k1 uint64
	n      uint64
}

// NewPartitioner returns the partitioner of a cluster.
func NewPartitioner(c Cluster) Partitioner {
	return Partitioner{
		k0: binary.LittleEndian.Uint64(c.Key[:8]),
		k1: binary.LittleEndian.Uint64(c.Key[8:]),
		n:  uint64(c.Partitions),
	}
}

// Of returns the partition of an event: by its key, or without a key by its id, so that a repeat meets the first
// in the same partition.
func (p Partitioner) Of(tenant, stream string, key, id []byte) Partition {
	var scratch [512]byte
	b := append(scratch[:0], tenant...)
	b = append(b, 0)
	b = append(b, stream...)
	if len(key) > 0 {
		b = append(append(b, 0, 'k'), key...)
	} else {
		b = append(append(b, 0, 'i'), id...)
	}
	return Partition(sipHash(p.k0, p.k1, b) % p.n)
}

// ParsePartitionKey reads the 32 hexadecimal digits that a configuration names.
func ParsePartitionKey(text string) (PartitionKey, error) {
	var k PartitionKey
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(k) {
		return k, fmt.Errorf("parse partition key: want 32 hexadecimal digits")
	}
	copy(k[:], raw)
	return k, nil
}
