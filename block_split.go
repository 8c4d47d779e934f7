package penstock

// Split returns the block's records as blocks of at most n, in order, so that who asks for few of them does not walk all. They share
// b's bytes and the numbers of their items go on from one to the next: they are for a store, not for a log.
func (b *Block) Split(n int) []*Block {
	var parts []*Block
	next, item := b.CloneHeader().Groups, b.item
	for at := 0; at < len(b.records); {
		part, begins := b.CloneHeader(), at
		part.item, part.count = item, 0
		for i := range part.Groups {
			part.Groups[i].First, part.Groups[i].Count = next[i].First, 0
		}
		for ; part.count < n && at < len(b.records); part.count++ {
			h := recordHeader(b.records[at:])
			part.Groups[h.group].Count++
			at += h.size()
		}
		for i, g := range part.Groups {
			next[i].First = g.End()
		}
		item += part.count
		part.records = b.records[begins:at:at]
		parts = append(parts, part)
	}
	return parts
}
