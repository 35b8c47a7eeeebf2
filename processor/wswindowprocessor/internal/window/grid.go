// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

// grid is the geometry of hopping windows. Window k is [k*step, k*step+size);
// all times are unix milliseconds and may be negative.
//
// The starts and ends of the windows cut time into panes, two to a step:
//
//	step k      |<----------------------- step ----------------------->|
//	panes       |  2k: still in a window that   |  2k+1: the rest       |
//	            |  ends in this step (tail)     |                       |
//
// With size 10 s and step 9 s the tail is 1 s long, and window k is made of
// panes 2k, 2k+1 and 2(k+1). When the step divides the size there is no tail and
// the even panes stay empty.
type grid struct {
	size, step int64
	steps      int64 // full steps in a window
	tail       int64 // what is left of the size behind them
}

func newGrid(size, overlap int64) grid {
	step := size - overlap
	return grid{size: size, step: step, steps: size / step, tail: size % step}
}

func (g grid) start(k int64) int64 { return k * g.step }
func (g grid) end(k int64) int64   { return k*g.step + g.size }

// first is the earliest window that holds t, last the latest.
func (g grid) first(t int64) int64 { return floorDiv(t-g.size, g.step) + 1 }
func (g grid) last(t int64) int64  { return floorDiv(t, g.step) }

// pane is the pane that holds t.
func (g grid) pane(t int64) int64 {
	k := floorDiv(t, g.step)
	if t-k*g.step < g.tail {
		return 2 * k
	}
	return 2*k + 1
}

// panesEnd is the first pane behind window k; the window's first pane is 2k.
func (g grid) panesEnd(k int64) int64 {
	end := 2 * (k + g.steps)
	if g.tail > 0 {
		end++
	}
	return end
}

// floorDiv rounds towards minus infinity, where Go's / rounds towards zero.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
