package checksum

import (
	"testing"

	"penstock"
)

func TestSum(t *testing.T) {
	c := penstock.Cluster{ID: "000102030405060708090a0b0c0d0e0f", Partitions: 4}
	other := c
	other.Key[0] = 1
	type event struct{ stream, key, id, body string }
	sum := func(c penstock.Cluster, e event) penstock.Checksum {
		return NewHasher(c).Stream(penstock.DefaultTenant, e.stream).Sum([]byte(e.key), []byte(e.id), []byte(e.body))
	}
	first := event{"clicks", "k", "1", `{"n":1}`}
	seen := map[penstock.Checksum]event{sum(c, first): first}
	if sum(c, first) != sum(c, first) || sum(c, first) == sum(other, first) {
		t.Fatal("the checksum is not the cluster's and the event's alone")
	}
	for _, e := range []event{
		{"click", "k", "1", `{"n":1}`}, {"clicks", "", "1", `{"n":1}`}, {"clicks", "k", "2", `{"n":1}`}, {"clicks", "k", "1", `{"n":2}`},
		{"clicks", "k1", "", `{"n":1}`}, {"clicks", "", "k1", `{"n":1}`}, {"clicks", "1", "k", `{"n":1}`}, {"clicks", "k", "1", ""},
	} {
		if same, ok := seen[sum(c, e)]; ok {
			t.Errorf("%v and %v have the same checksum", e, same)
		}
		seen[sum(c, e)] = e
	}
}

func BenchmarkSum(b *testing.B) {
	s := NewHasher(penstock.Cluster{ID: "000102030405060708090a0b0c0d0e0f", Partitions: 4}).Stream("default", "clicks")
	key, id, body := []byte("k00001234"), []byte("c00001-0000012345"), make([]byte, 250)
	b.SetBytes(250)
	for b.Loop() {
		s.Sum(key, id, body)
	}
}
