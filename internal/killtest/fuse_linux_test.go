package killtest

import (
	"maps"
	"slices"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// front shows a forgetful file system to the kernel. What it does not have, links for example, it does not know.
type front struct {
	fuse.RawFileSystem
	*forgetful
}

// do calls on with the node of a request, while there is power.
func (f front) do(number uint64, on func(*node) fuse.Status) fuse.Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.nodes[number]
	switch {
	case f.off:
		return fuse.EIO
	case n == nil:
		return fuse.Status(syscall.ESTALE)
	}
	return on(n)
}

// in is do for directories.
func (f front) in(number uint64, on func(*directory) fuse.Status) fuse.Status {
	return f.do(number, func(n *node) fuse.Status {
		if n.names == nil {
			return fuse.ENOTDIR
		}
		return on(n.names)
	})
}

const (
	forEver  = 1 << 30 // seconds: nobody but the kernel changes anything
	fileMode = syscall.S_IFREG | 0o600
	dirMode  = syscall.S_IFDIR | 0o700
)

func (n *node) attributes(to *fuse.Attr) {
	to.Ino, to.Size, to.Blocks, to.Blksize = n.number, uint64(n.size), uint64(len(n.now)*blockSize/sectorSize), blockSize
	to.Mode, to.Nlink = fileMode, 1
	if n.names != nil {
		to.Mode = dirMode
	}
}

// tell tells the kernel of a node.
func (f front) tell(n *node, to *fuse.EntryOut) {
	n.known++
	f.nodes[n.number] = n
	to.NodeId, to.EntryValid, to.AttrValid = n.number, forEver, forEver
	n.attributes(&to.Attr)
}

func (f front) Lookup(_ <-chan struct{}, in *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	return f.in(in.NodeId, func(d *directory) fuse.Status {
		n := d.now[name]
		if n == nil {
			return fuse.ENOENT
		}
		f.tell(n, out)
		return fuse.OK
	})
}

func (f front) Forget(number, times uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := f.nodes[number]; n != nil {
		f.forget(n, times)
	}
}

func (f front) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	return f.do(in.NodeId, func(n *node) fuse.Status {
		out.AttrValid = forEver
		n.attributes(&out.Attr)
		return fuse.OK
	})
}

func (f front) SetAttr(_ <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	return f.do(in.NodeId, func(n *node) fuse.Status {
		if size, ok := in.GetSize(); ok {
			n.resize(int64(size))
		}
		out.AttrValid = forEver
		n.attributes(&out.Attr)
		return fuse.OK
	})
}

func (f front) Mkdir(_ <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	return f.in(in.NodeId, func(d *directory) fuse.Status {
		n := f.newDirectory()
		d.change(change{to: name, of: n})
		f.tell(n, out)
		return fuse.OK
	})
}

func (f front) Create(_ <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	return f.in(in.NodeId, func(d *directory) fuse.Status {
		if d.now[name] != nil {
			return fuse.Status(syscall.EEXIST)
		}
		n := f.newNode()
		d.change(change{to: name, of: n})
		f.tell(n, &out.EntryOut)
		return fuse.OK
	})
}

func (f front) Unlink(_ <-chan struct{}, in *fuse.InHeader, name string) fuse.Status {
	return f.in(in.NodeId, func(d *directory) fuse.Status {
		if d.now[name] == nil {
			return fuse.ENOENT
		}
		d.change(change{from: name})
		return fuse.OK
	})
}

func (f front) Rmdir(_ <-chan struct{}, in *fuse.InHeader, name string) fuse.Status {
	return f.in(in.NodeId, func(d *directory) fuse.Status {
		switch n := d.now[name]; {
		case n == nil:
			return fuse.ENOENT
		case n.names == nil:
			return fuse.ENOTDIR
		case len(n.names.now) > 0:
			return fuse.Status(syscall.ENOTEMPTY)
		}
		d.change(change{from: name})
		return fuse.OK
	})
}

// Rename gives another name in the same directory; POSIX does not say what a loss of power does to both directories.
func (f front) Rename(_ <-chan struct{}, in *fuse.RenameIn, from, to string) fuse.Status {
	return f.in(in.NodeId, func(d *directory) fuse.Status {
		switch {
		case d.now[from] == nil:
			return fuse.ENOENT
		case in.Newdir != in.NodeId || in.Flags != 0:
			return fuse.Status(syscall.EXDEV)
		case from != to:
			d.change(change{from: from, to: to, of: d.now[from]})
		}
		return fuse.OK
	})
}

func (f front) Open(_ <-chan struct{}, in *fuse.OpenIn, _ *fuse.OpenOut) fuse.Status {
	return f.do(in.NodeId, func(n *node) fuse.Status {
		if in.Flags&syscall.O_TRUNC != 0 {
			n.resize(0)
		}
		return fuse.OK
	})
}

func (f front) Read(_ <-chan struct{}, in *fuse.ReadIn, to []byte) (fuse.ReadResult, fuse.Status) {
	var part []byte
	status := f.do(in.NodeId, func(n *node) fuse.Status {
		part = n.read(to, int64(in.Offset))
		return fuse.OK
	})
	return fuse.ReadResultData(part), status
}

func (f front) Write(_ <-chan struct{}, in *fuse.WriteIn, from []byte) (uint32, fuse.Status) {
	return uint32(len(from)), f.do(in.NodeId, func(n *node) fuse.Status {
		n.write(from, int64(in.Offset))
		return fuse.OK
	})
}

// Flush is called when a file is closed, which promises nothing.
func (f front) Flush(<-chan struct{}, *fuse.FlushIn) fuse.Status { return fuse.OK }

func (f front) Fsync(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	return f.do(in.NodeId, func(n *node) fuse.Status {
		n.content.sync()
		return fuse.OK
	})
}

func (f front) FsyncDir(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	return f.in(in.NodeId, func(d *directory) fuse.Status {
		d.sync()
		return fuse.OK
	})
}

func (f front) Fallocate(_ <-chan struct{}, in *fuse.FallocateIn) fuse.Status {
	return f.do(in.NodeId, func(n *node) fuse.Status {
		switch {
		case in.Mode&^unix.FALLOC_FL_KEEP_SIZE != 0:
			return fuse.Status(syscall.EOPNOTSUPP)
		case in.Mode == 0:
			n.resize(max(n.size, int64(in.Offset+in.Length)))
		}
		return fuse.OK
	})
}

// OpenDir takes down the names, so that a listing is one of a moment.
func (f front) OpenDir(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	return f.in(in.NodeId, func(d *directory) fuse.Status {
		f.last++
		out.Fh = f.last
		f.opened[out.Fh] = slices.Sorted(maps.Keys(d.now))
		return fuse.OK
	})
}

func (f front) ReadDir(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return f.in(in.NodeId, func(d *directory) fuse.Status {
		names := f.opened[in.Fh]
		for i := int(in.Offset); i < len(names); i++ {
			e := fuse.DirEntry{Name: names[i], Mode: fileMode, Off: uint64(i + 1)}
			if n := d.now[names[i]]; n != nil && n.names != nil {
				e.Mode = dirMode
			}
			if !out.AddDirEntry(e) {
				break
			}
		}
		return fuse.OK
	})
}

func (f front) ReleaseDir(in *fuse.ReleaseIn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.opened, in.Fh)
}

func (f front) StatFs(_ <-chan struct{}, in *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	return f.do(in.NodeId, func(*node) fuse.Status {
		*out = fuse.StatfsOut{Bsize: blockSize, Frsize: blockSize, NameLen: 255, Files: 1 << 20, Ffree: 1 << 20}
		out.Blocks = imageSize / blockSize
		out.Bfree, out.Bavail = out.Blocks, out.Blocks // nobody waits for it to be full
		return fuse.OK
	})
}
