// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package rabbitmqstreamexporter

import "slices"

// confirmedBatches are the hashes of batches that are confirmed, and that the queue will
// push again.
type confirmedBatches struct {
	hashes []uint64
	// removed were pushed again since the latest save. The queue may not have removed them
	// yet, so they are saved once more.
	removed []uint64
}

// maxConfirmed bounds them: a queue retries as many batches at a time as it has consumers.
const maxConfirmed = 1_000

func (c *confirmedBatches) add(hash uint64) {
	c.hashes = append(c.hashes, hash)
	if len(c.hashes) > maxConfirmed {
		c.hashes = slices.Delete(c.hashes, 0, 1)
	}
}

// remove removes a batch, and reports whether it was there.
func (c *confirmedBatches) remove(hash uint64) bool {
	i := slices.Index(c.hashes, hash)
	if i < 0 {
		return false
	}
	c.hashes = slices.Delete(c.hashes, i, i+1)
	c.removed = append(c.removed, hash)
	return true
}

// save returns the hashes to be saved.
func (c *confirmedBatches) save() []uint64 {
	all := slices.Concat(c.removed, c.hashes)
	c.removed = c.removed[:0]
	return all
}
