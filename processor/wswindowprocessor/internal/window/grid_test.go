// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestGrid_EqualsItsDefinition(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for _, shape := range []struct{ size, overlap int64 }{
		{10_000, 1_000}, {10_000, 0}, {10_000, 9_000}, {10_000, 3_000}, {10_000, 5_000}, {7, 2}, {3, 2}, {1_000, 999},
	} {
		g := newGrid(shape.size, shape.overlap)
		for range 2_000 {
			at := random.Int64N(40*shape.size) - 20*shape.size
			first, last := g.first(at), g.last(at)
			for k := first - 2; k <= last+2; k++ {
				holds := g.start(k) <= at && at < g.end(k)
				assert.Equal(t, holds, first <= k && k <= last, "%+v: window %d and %d", shape, k, at)
				inPanes := 2*k <= g.pane(at) && g.pane(at) < g.panesEnd(k)
				assert.Equal(t, holds, inPanes, "%+v: panes of window %d and %d", shape, k, at)
			}
		}
	}
}
