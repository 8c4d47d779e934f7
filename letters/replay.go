package letters

import (
	"context"
	"net/http"
	"time"

	"penstock"
	"penstock/internal/edge"
	"penstock/internal/failpoint"
)

// replayed is the answer to a page of a replay.
type replayed struct {
	Matched       int         `json:"matched"`
	Replayed      int         `json:"replayed"` // are in the log once more
	RejectedCount int         `json:"rejected_count"`
	Rejected      []rejection `json:"rejected"` // the first 20
	Receipt       *string     `json:"receipt"`  // of this page, and of the one whose receipt came with the request; null: of nothing
	Next          *string     `json:"next"`
}

// rejection is a letter that no replay can make a row of.
type rejection struct {
	Place   string `json:"place"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

const maxRejected = 20

func (a *API) serveReplay(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	if a.o.Log == nil {
		return refuse(w, r, missing("log"))
	}
	q, err := a.readAsk(w, r, true)
	if err != nil {
		return err
	}
	began := time.Now()
	until := began.Add(a.o.Limits.Work)
	re := &replay{
		api: a, rate: q.rate, dryRun: q.dryRun, until: until, released: began, ends: q.reached,
		builder: penstock.NewBlockBuilder(a.partitioner),
	}
	p := &page{api: a, ask: q, deal: re.deal, most: maxPortion, until: until}
	if q.rate > 0 {
		p.most = min(max(1, q.rate/10), maxPortion)
	}
	err = a.ended(ctx, p.run(ctx))
	a.trace(Change{"replay", q.dryRun, p.matched, re.replayed, re.rejectedCount, time.Since(began), err})
	if err != nil && p.matched == 0 {
		return err
	}
	answer := replayed{p.matched, re.replayed, re.rejectedCount, re.rejected, nil, p.next()}
	if len(re.ends) > 0 {
		receipt := penstock.Receipt{Cluster: a.o.Cluster.ID, Durability: a.o.Log.Durability(), Positions: re.ends}.String()
		answer.Receipt = &receipt
	}
	if answer.Rejected == nil {
		answer.Rejected = []rejection{}
	}
	a.answer(w, answer)
	return nil
}

func (a *API) trace(c Change) {
	if a.o.Trace.Changed != nil {
		a.o.Trace.Changed(c)
	}
}

// replay appends letters to the log once more.
type replay struct {
	api      *API
	builder  *penstock.BlockBuilder
	rate     int // letters a second; 0: no limit
	dryRun   bool
	until    time.Time // when it stops to repeat what the log refuses
	released time.Time // when the portion before was let go

	replayed, rejectedCount int
	rejected                []rejection
	ends                    penstock.Positions
}

// deal appends those of the letters that can become rows. When it returns nil they are as durable as the log says; after an
// error some may be, and all may be appended again.
func (re *replay) deal(ctx context.Context, letters []penstock.Letter) error {
	var fit []penstock.Letter
	var unfit []rejection
	for _, l := range letters {
		if why := re.unfit(l); why != nil {
			unfit = append(unfit, *why)
		} else {
			fit = append(fit, l)
		}
	}
	if len(fit) > 0 && !re.dryRun {
		if err := re.pace(ctx, len(fit)); err != nil {
			return err
		}
		refused, err := re.send(ctx, fit)
		if err != nil {
			return err
		}
		unfit = append(unfit, refused...)
		re.replayed += len(fit) - len(refused)
	}
	re.rejectedCount += len(unfit)
	re.rejected = append(re.rejected, unfit[:min(len(unfit), maxRejected-len(re.rejected))]...)
	return nil
}

// unfit says why a letter cannot become a row whatever the store is like by now; nil: it may. What is no longer what the door
// accepted stays a letter, and the log takes no ids and keys that its format has no room for.
func (re *replay) unfit(l penstock.Letter) *rejection {
	a, id, key := re.api, []byte(l.ID), []byte(l.Key)
	reject := func(code, message string) *rejection { return &rejection{placeText(placeOf(l)), code, message} }
	switch {
	case len(id) == 0 || len(id) > int(penstock.MaxIDLen):
		return reject("bad_id", "its id is not 1 to 128 bytes long")
	case len(key) > int(penstock.MaxKeyLen):
		return reject("bad_key", "its key is longer than 256 bytes")
	case l.Sum != 0 && l.Sum != re.sum(l):
		return reject(string(penstock.ReasonSum), "it is not what was accepted: its checksum differs")
	case a.partitioner.Of(penstock.DefaultTenant, l.Stream, key, id) != l.Partition:
		return reject("conflict", "its key or id belongs to another partition")
	}
	return nil
}

func (re *replay) sum(l penstock.Letter) penstock.Checksum {
	return re.api.sums.Stream(penstock.DefaultTenant, l.Stream).Sum([]byte(l.Key), []byte(l.ID), []byte(l.Body))
}

// pace returns when n letters may be let go: n / rate after the portion before, or after the beginning.
func (re *replay) pace(ctx context.Context, n int) error {
	if re.rate > 0 {
		due := re.released.Add(time.Duration(n) * time.Second / time.Duration(re.rate))
		if err := wait(ctx, time.Until(due)); err != nil {
			return err
		}
	}
	re.released = time.Now()
	return nil
}

// send appends letters in order. If the log refuses what they hold, it finds by halves which those are.
func (re *replay) send(ctx context.Context, letters []penstock.Letter) ([]rejection, error) {
	err := re.append(ctx, re.blocks(letters))
	switch {
	case !penstock.Is(err, penstock.Invalid):
		return nil, err
	case len(letters) == 1:
		return []rejection{{placeText(placeOf(letters[0])), edge.Reason(err), "the log does not take it"}}, nil
	}
	half := len(letters) / 2
	first, err := re.send(ctx, letters[:half])
	if err != nil {
		return nil, err
	}
	rest, err := re.send(ctx, letters[half:])
	return append(first, rest...), err
}

// blocks returns the letters as records, in order: a block for each run of the same stream and time of receipt. An event keeps
// everything that it came with, so that it meets its letter in the same partition.
func (re *replay) blocks(letters []penstock.Letter) []*penstock.Block {
	var blocks []*penstock.Block
	for i, l := range letters {
		if i == 0 || l.Stream != letters[i-1].Stream || l.ReceivedAt != letters[i-1].ReceivedAt {
			if i > 0 {
				blocks = append(blocks, re.builder.Take())
			}
			re.builder.Reset(penstock.DefaultTenant, l.Stream, l.ReceivedAt, 0)
		}
		re.builder.Add(penstock.Event{
			ID: []byte(l.ID), Key: []byte(l.Key), Time: l.Time, Body: []byte(l.Body),
			Flags: l.Flags, Sum: re.sum(l), ReplayOf: l.Position,
		})
	}
	return append(blocks, re.builder.Take())
}

// The pauses between attempts at the log double from the first to the last.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = 2 * time.Second
)

// append appends blocks, and goes on trying while the log has no room or its answer leaves doubt. A record that is there
// twice has its effect once. Each attempt has headers of its own: those of one in doubt may still be written.
func (re *replay) append(ctx context.Context, blocks []*penstock.Block) error {
	var doubt error
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		attempt := make([]*penstock.Block, len(blocks))
		for i, b := range blocks {
			attempt[i] = b.CloneHeader()
		}
		err := re.api.o.Log.Append(ctx, attempt...)
		switch penstock.CodeOf(err) {
		case "":
			failpoint.Hit("replay.appended")
			for _, b := range attempt {
				re.ends.Raise(b.Ends())
			}
			return nil
		case penstock.Unknown:
			doubt = err
		case penstock.Overloaded, penstock.Full:
		default:
			return err
		}
		if ctx.Err() != nil || time.Now().Add(pause).After(re.until) || wait(ctx, pause) != nil {
			if doubt != nil {
				return doubt
			}
			return err
		}
	}
}

// wait returns nil after d, or the context's error.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return penstock.Wrap(penstock.Unavailable, "wait", ctx.Err())
	case <-timer.C:
		return nil
	}
}
