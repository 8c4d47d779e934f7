package dedup

// reader goes through the entries of a section of a run.
type reader struct {
	of    section // without what is in memory
	buf   []byte
	page  int    // the next one to read
	pages []byte // read and not yet passed
	left  int    // bytes of entries in the first of pages
	entry entry  // the present one
	done  bool
}

// readPages is how many pages a merge reads at once.
const readPages = 32

func (r *reader) begin(of *run, number int) {
	*r = reader{of: section{part: of.parts[number], run: of}, buf: r.buf}
}

// next moves to the next entry.
func (r *reader) next() error {
	if r.left == 0 {
		if len(r.pages) == 0 {
			if r.page == r.of.pages() {
				r.done = true
				return nil
			}
			pages, err := r.of.readPages(r.page, r.buf)
			if err != nil {
				return err
			}
			r.page += (len(pages) + pageSize - 1) / pageSize
			r.pages = pages
		}
		r.left = min(len(r.pages), pageSize) - 4
		r.pages = r.pages[4:]
	}
	r.entry.decode(r.pages)
	r.pages = r.pages[entrySize:]
	r.left -= entrySize
	return nil
}
