package letters

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"penstock"
)

// placeText returns the word for a place: partition, epoch and offset with hyphens between. It is also the cursor behind the
// letter of that place.
func placeText(p penstock.Place) string {
	return fmt.Sprintf("%d-%d-%d", p.Partition, p.Position.Epoch, p.Position.Offset)
}

// The largest numbers that every store has room for.
const (
	maxEpoch  = math.MaxInt32
	maxOffset = math.MaxInt64
)

// parsePlace reads what placeText wrote, and nothing else.
func parsePlace(text string, partitions int) (penstock.Place, bool) {
	parts := strings.Split(text, "-")
	if len(parts) != 3 {
		return penstock.Place{}, false
	}
	var n [3]uint64
	for i, most := range [...]uint64{uint64(max(partitions, 1) - 1), maxEpoch, maxOffset} {
		v, err := strconv.ParseUint(parts[i], 10, 64)
		if err != nil || v > most {
			return penstock.Place{}, false
		}
		n[i] = v
	}
	p := penstock.Place{
		Partition: penstock.Partition(n[0]),
		Position:  penstock.Position{Epoch: penstock.Epoch(n[1]), Offset: penstock.Offset(n[2])},
	}
	return p, p.Position.Epoch > 0 && placeText(p) == text
}

// before returns a place between p, whose epoch is not 0, and every letter before it.
func before(p penstock.Place) penstock.Place {
	if p.Position.Offset > 0 {
		p.Position.Offset--
	} else {
		p.Position = penstock.Position{Epoch: p.Position.Epoch - 1, Offset: maxOffset}
	}
	return p
}
