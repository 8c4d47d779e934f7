package check

import "penstock"

// order watches the events of each key in the order in which the log, or the store, has them. An event a must not come after an event b
// if a was answered before b was sent. So it is enough to remember, for each key, the latest call so far: O(1) an event.
type order struct {
	judge  *judge
	where  string
	keys   []keyState // by key
	rank   []uint32   // by slot: counts the events as they came; 0: it did not
	ranked uint32
}

type keyState struct {
	call      int64 // the latest so far
	slot      uint32
	partition int32 // 1 more than the key's; 0: it was not seen yet
}

// visit takes the first record of an event, or its row.
func (o *order) visit(r ref, p penstock.Partition) {
	j := o.judge
	if o.rank == nil {
		o.rank = make([]uint32, len(j.events.flags))
	}
	o.ranked++
	o.rank[r.slot] = o.ranked
	key := j.events.keys[r.slot]
	if key == 0 || j.events.outcome(r.slot) == Fail {
		return
	}
	for int(key) >= len(o.keys) {
		o.keys = append(o.keys, make([]keyState, max(1024, len(o.keys)))...)
	}
	k := &o.keys[key]
	switch {
	case k.partition == 0:
		*k = keyState{r.op.call, r.slot, int32(p) + 1}
		return
	case k.partition != int32(p)+1:
		j.found(KeySplit, subject{of: r}, "in the %s %s of key %q is in partition %d, and an event of that key in %d", o.where, r.id(), j.keys.name(key), p, k.partition-1)
		k.partition = int32(p) + 1
	}
	if j.events.flags[r.slot]&saidOk != 0 && r.op.ret < k.call {
		before := ""
		if j.tells(Order) {
			before = j.owner(k.slot).id()
		}
		j.found(Order, subject{of: r}, "%s of key %q was answered at %d and %s was sent at %d, yet in the %s it lies behind it",
			r.id(), j.keys.name(key), r.op.ret, before, k.call, o.where)
	}
	if r.op.call > k.call {
		k.call, k.slot = r.op.call, r.slot
	}
}

// judgeBatches compares the order within requests.
func (j *judge) judgeBatches() error {
	for _, o := range [...]*order{&j.inLog, &j.inRows} {
		last := lastRanks{make([]uint32, len(j.keys.names)), make([]uint32, len(j.keys.names)), 0}
		for _, number := range j.numbers() {
			for i := range j.clients[number].ops {
				if o.rank != nil && j.clients[number].ops[i].count > 1 {
					o.judgeBatch(number, &j.clients[number].ops[i], &last)
				}
			}
		}
		o.rank, o.keys = nil, nil
	}
	return nil
}

// lastRanks holds the rank of the last event of each key in one request; of another one if the stamp is not its own.
type lastRanks struct {
	ranks, stamps []uint32
	stamp         uint32
}

func (o *order) judgeBatch(number uint32, of *op, last *lastRanks) {
	j := o.judge
	last.stamp++
	for i := range of.count {
		slot := of.slot + i
		key, rank := j.events.keys[slot], o.rank[slot]
		if key == 0 || rank == 0 || j.events.outcome(slot) == Fail {
			continue
		}
		if last.stamps[key] == last.stamp && rank < last.ranks[key] {
			id := EventID(number, of.first+uint64(i))
			j.found(BatchOrder, subject{name: id}, "in the %s %s of key %q lies before an event that stands before it in the same request", o.where, id, j.keys.name(key))
			continue
		}
		last.stamps[key], last.ranks[key] = last.stamp, rank
	}
}
