// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMoment(t *testing.T) {
	t.Parallel()
	windows := Schedule{Size: 10 * time.Second, Step: 9 * time.Second, Offset: 2 * time.Second}
	for name, c := range map[string]struct {
		schedule    Schedule
		now         string
		moment, end string
	}{
		// Windows start at multiples of 9 s from the epoch: 900 starts one that ends at
		// 910 and is asked for at 912.
		"at the moment":     {windows, "912", "912", "910"},
		"just before":       {windows, "911.999", "903", "901"},
		"just before next":  {windows, "920.999", "912", "910"},
		"tumbling":          {Schedule{Size: 10 * time.Second, Step: 10 * time.Second, Offset: 2 * time.Second}, "1001", "992", "990"},
		"sliding":           {Schedule{Size: 10 * time.Second, Step: time.Second}, "1001.5", "1001", "1001"},
		"before the epoch":  {windows, "-1", "-6", "-8"},
		"far in the future": {windows, "9000000005", "9000000003", "9000000001"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			moment, end := c.schedule.Moment(seconds(t, c.now))
			assert.Equal(t, seconds(t, c.moment).UTC(), moment.UTC())
			assert.Equal(t, seconds(t, c.end).UTC(), end.UTC())
		})
	}
}

// Within a window the moment is one and the same, to whoever compares it.
func TestMomentHasNoMonotonicReading(t *testing.T) {
	t.Parallel()
	windows := Schedule{Size: 10 * time.Second, Step: 9 * time.Second, Offset: 2 * time.Second}
	moment, end := windows.Moment(time.Now())
	assert.NotContains(t, moment.String()+end.String(), "m=")
}

func seconds(t *testing.T, text string) time.Time {
	t.Helper()
	var s float64
	_, err := fmt.Sscan(text, &s)
	require.NoError(t, err)
	return time.UnixMilli(int64(s * 1000))
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	one, two := Version{Moment: 1}, Version{Moment: 2}
	a := NewAnswers(10_000)
	a.Put("k", one, Answer{Status: 200, Body: []byte("first")})
	got, found := a.Get("k", one)
	require.True(t, found)
	assert.Equal(t, "first", string(got.Body))

	_, found = a.Get("k", two)
	assert.False(t, found, "the next moment has come")
	assert.Zero(t, a.Size(), "it does not keep what it will not give")

	a.Put("k", two, Answer{Body: []byte("second")})
	_, found = a.Get("k", Version{Moment: 2, Writes: 5})
	assert.False(t, found, "there is newer data")

	a.Put("huge", two, Answer{Body: make([]byte, 9_000)})
	_, found = a.Get("huge", two)
	assert.False(t, found)
	assert.Zero(t, NewAnswers(0).Size())
}

// The ones used last stay, and the size is never above the limit.
func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	const limit = 50_000
	a := NewAnswers(limit)
	version := Version{}
	for i := range 20_000 {
		key := strconv.Itoa(random.IntN(300))
		if random.IntN(100) == 0 {
			version.Moment++
		}
		if _, found := a.Get(key, version); !found {
			a.Put(key, version, Answer{Body: make([]byte, random.IntN(3_000))})
			if _, found := a.Get(key, version); !found {
				t.Fatalf("%d: what was put last is not there", i)
			}
		}
		require.LessOrEqual(t, a.Size(), limit)
	}
	size := 0
	for element := a.recent.Front(); element != nil; element = element.Next() {
		size += element.Value.(*entry).size()
	}
	assert.Equal(t, size, a.Size())
	assert.Len(t, a.byKey, a.recent.Len())
}
