package child

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"

	"penstock"
)

// Resident returns the process's resident memory and its peak. It reads /proc, and fails with Unavailable elsewhere.
func (p *Process) Resident() (now, peak penstock.Bytes, err error) {
	const op = "read resident memory"
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		return 0, 0, penstock.Wrap(penstock.Unavailable, op, err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch {
		case err != nil:
		case name == "VmRSS":
			now = penstock.Bytes(kib << 10)
		case name == "VmHWM":
			peak = penstock.Bytes(kib << 10)
		}
	}
	return now, peak, penstock.Wrap(penstock.Unavailable, op, lines.Err())
}
