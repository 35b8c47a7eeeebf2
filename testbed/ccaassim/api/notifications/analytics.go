// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package notifications

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/history"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/truth"
)

// Paths of the Genesys Cloud Analytics API.
const (
	ActivityPath     = "/api/v2/analytics/conversations/activity/query"
	DetailsPath      = "/api/v2/analytics/conversations/details"
	DetailsQueryPath = "/api/v2/analytics/conversations/details/query"
	ObservationsPath = "/api/v2/analytics/queues/observations/query"
)

// Permissions of the Analytics API.
const (
	queueObservation   = "analytics:queueObservation:view"
	conversationDetail = "analytics:conversationDetail:view"
)

const (
	maxDetailsPage = 200
	maxDetailsIDs  = 100
	maxInterval    = 31 * 24 * time.Hour
)

func (a *endpoints) analyticsRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST "+ActivityPath, a.analytics(queueObservation, a.activity))
	mux.HandleFunc("POST "+ObservationsPath, a.analytics(queueObservation, a.observations))
	mux.HandleFunc("GET "+DetailsPath, a.analytics(conversationDetail, a.details))
	mux.HandleFunc("POST "+DetailsQueryPath, a.analytics(conversationDetail, a.detailsQuery))
}

// analytics checks a request: trouble, the token, the limit of calls, the permission.
func (a *endpoints) analytics(permission string, answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, ok := a.call(w, r, func(t *truth.RequestTruth) { t.Analytics++ }, func(t *fault.Trouble) *fault.Failure {
			if !strings.HasSuffix(r.URL.Path, t.AnalyticsFailPath) {
				return &fault.Failure{}
			}
			return &t.AnalyticsFail
		})
		if !ok {
			return
		}
		if slices.Contains(a.Trouble.Now().MissingPermissions, permission) {
			api.WriteJSON(w, http.StatusForbidden, map[string]any{
				"status": http.StatusForbidden, "code": "missing.permissions",
				"message": "Unable to perform the requested action. You must have at least one of the following permissions assigned: [" + permission + "]",
			})
			return
		}
		answer(w, r)
	}
}

// query is the part of the bodies that is understood.
type query struct {
	Interval            string   `json:"interval"`
	Order               string   `json:"order"`
	OrderBy             string   `json:"orderBy"`
	GroupBy             []string `json:"groupBy"`
	Filter              filter   `json:"filter"`
	ConversationFilters []filter `json:"conversationFilters"`
	SegmentFilters      []filter `json:"segmentFilters"`
	Paging              struct {
		PageSize   int `json:"pageSize"`
		PageNumber int `json:"pageNumber"`
	} `json:"paging"`
}

type filter struct {
	Clauses    []filter `json:"clauses"`
	Predicates []struct {
		Dimension string `json:"dimension"`
		Operator  string `json:"operator"`
		Value     string `json:"value"`
	} `json:"predicates"`
}

// queues adds the queues that a filter names.
func (f *filter) queues(to map[string]bool) {
	for i := range f.Clauses {
		f.Clauses[i].queues(to)
	}
	for _, p := range f.Predicates {
		if p.Dimension == "queueId" {
			to[p.Value] = true
		}
	}
}

// ended is whether a filter is for conversations that have ended; nil: for both.
func (f *filter) ended() *bool {
	for _, p := range f.Predicates {
		if p.Dimension == "conversationEnd" {
			exists := p.Operator == "exists"
			return &exists
		}
	}
	return nil
}

func decodeQuery(w http.ResponseWriter, r *http.Request) (q query, ok bool) {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&q); err != nil {
		api.Error(w, http.StatusBadRequest, "body: "+err.Error())
		return q, false
	}
	return q, true
}

// listed are the sessions whose queues are named; all, where none is.
func (a *endpoints) listed(all []history.Session, queues map[string]bool) []history.Session {
	return slices.DeleteFunc(all, func(s history.Session) bool {
		return len(queues) > 0 && !queues[a.queueOf(&s)]
	})
}

func (a *endpoints) queueOf(s *history.Session) string {
	return a.Directory.Queues[a.Directory.QueueIndex(s.Channel)]
}

// mediaOf is the medium of a channel type.
func mediaOf(channelType string) string {
	switch channelType {
	case "voice", "callback", "chat", "email", "video":
		return channelType
	default:
		return "message"
	}
}

// observed is a group of open conversations.
type observed struct {
	queue, media string
	sessions     []history.Session
}

// groups are the open conversations by queue and medium. The present is known at once.
func (a *endpoints) groups(queues map[string]bool) (all []observed) {
	for _, s := range a.listed(a.History.Open(time.Now()), queues) {
		queue, media := a.queueOf(&s), mediaOf(a.Series[s.Series].ChannelType)
		n := slices.IndexFunc(all, func(g observed) bool { return g.queue == queue && g.media == media })
		if n < 0 {
			n = len(all)
			all = append(all, observed{queue: queue, media: media})
		}
		all[n].sessions = append(all[n].sessions, s)
	}
	return all
}

func (a *endpoints) activity(w http.ResponseWriter, r *http.Request) {
	q, ok := decodeQuery(w, r)
	if !ok {
		return
	}
	if len(q.GroupBy) == 0 {
		api.Error(w, http.StatusBadRequest, "groupBy: at least one dimension is required")
		return
	}
	size, sizeErr := queryNumber(r, "pageSize", 25, 500)
	page, pageErr := queryNumber(r, "pageNumber", 1, 1<<20)
	if sizeErr != nil || pageErr != nil {
		api.Error(w, http.StatusBadRequest, "pageSize: want 1 to 500; pageNumber: 1 or more")
		return
	}
	queues := map[string]bool{}
	q.Filter.queues(queues)
	groups := a.groups(queues)
	results := []any{}
	for _, g := range groups[min((page-1)*size, len(groups)):min(page*size, len(groups))] {
		shown := g.sessions
		limit := a.Trouble.Now().AnalyticsTruncate
		truncated := limit > 0 && len(shown) > limit
		if truncated { // the oldest, and then the newest
			shown = slices.Concat(shown[:limit/2], shown[len(shown)-(limit-limit/2):])
		}
		entities := []any{}
		for i := range shown {
			s := &shown[i]
			entities = append(entities, map[string]any{
				"metric": "oInteracting", "activityDate": iso(s.Start), "conversationId": uuid(s.Channel.Other(api.ConversationID)),
				"sessionId": uuid(s.Channel.Other(api.AgentLegID).Other(api.CommunicationID)), "mediaType": g.media, "queueId": g.queue,
				"userId": a.Directory.Agent(s.User), "direction": "inbound",
			})
		}
		results = append(results, map[string]any{
			"group":     map[string]string{"queueId": g.queue, "mediaType": g.media},
			"data":      []any{map[string]any{"metric": "oInteracting", "count": len(g.sessions)}},
			"truncated": truncated, "entities": entities,
		})
	}
	api.WriteJSON(w, http.StatusOK, map[string]any{"results": results, "entityIdDimension": "conversationId"})
}

func (a *endpoints) observations(w http.ResponseWriter, r *http.Request) {
	q, ok := decodeQuery(w, r)
	if !ok {
		return
	}
	queues := map[string]bool{}
	q.Filter.queues(queues)
	results := []any{}
	for queue := range queues {
		results = append(results, map[string]any{"group": map[string]string{"queueId": queue}}) // the sum over all media
	}
	for _, g := range a.groups(queues) {
		results = append(results, map[string]any{
			"group": map[string]string{"queueId": g.queue, "mediaType": g.media},
			"data":  []any{map[string]any{"metric": "oInteracting", "stats": map[string]int{"count": len(g.sessions)}}},
		})
	}
	api.WriteJSON(w, http.StatusOK, map[string]any{"results": results})
}

// settled is up to when the details are complete.
func (a *endpoints) settled() time.Time { return time.Now().Add(-a.Trouble.Now().AnalyticsLatency) }

func (a *endpoints) details(w http.ResponseWriter, r *http.Request) {
	ids := strings.FieldsFunc(r.URL.Query().Get("id"), func(c rune) bool { return c == ',' })
	if len(ids) == 0 || len(ids) > maxDetailsIDs {
		api.Error(w, http.StatusBadRequest, "id: want 1 to 100 ids")
		return
	}
	wanted := map[string]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	conversations := []any{}
	for _, s := range slices.Concat(a.History.Open(a.settled()), a.History.Ended(a.settled())) {
		if wanted[uuid(s.Channel.Other(api.ConversationID))] {
			conversations = append(conversations, a.detail(&s))
		}
	}
	api.WriteJSON(w, http.StatusOK, map[string]any{"conversations": conversations})
}

func (a *endpoints) detailsQuery(w http.ResponseWriter, r *http.Request) {
	q, ok := decodeQuery(w, r)
	if !ok {
		return
	}
	first, last, _ := strings.Cut(q.Interval, "/")
	from, fromErr := time.Parse(time.RFC3339, first)
	to, toErr := time.Parse(time.RFC3339, last)
	if fromErr != nil || toErr != nil || !to.After(from) || to.Sub(from) > maxInterval {
		api.Error(w, http.StatusBadRequest, "interval: want two times, at most 31 days apart")
		return
	}
	size, page := max(q.Paging.PageSize, 1), max(q.Paging.PageNumber, 1)
	if size > maxDetailsPage {
		api.Error(w, http.StatusBadRequest, "paging.pageSize: want at most 200")
		return
	}
	queues := map[string]bool{}
	for i := range q.SegmentFilters {
		q.SegmentFilters[i].queues(queues)
	}
	all := slices.Concat(a.History.Open(a.settled()), a.History.Ended(a.settled()))
	all = slices.DeleteFunc(a.listed(all, queues), func(s history.Session) bool {
		return !s.StartDay(from, to) || slices.ContainsFunc(q.ConversationFilters, func(f filter) bool {
			ended := f.ended()
			return ended != nil && *ended != (s.End != 0)
		})
	})
	slices.SortFunc(all, func(a, b history.Session) int {
		if q.OrderBy == "conversationEnd" {
			return int(a.End - b.End)
		}
		return int(a.Start - b.Start)
	})
	if q.Order == "desc" {
		slices.Reverse(all)
	}
	begin := (page - 1) * size
	if page > 1 { // what has come meanwhile shifts the pages
		begin -= a.Trouble.Now().AnalyticsShift
	}
	begin = max(0, begin)
	conversations := []any{}
	for i := min(begin, len(all)); i < min(begin+size, len(all)); i++ {
		conversations = append(conversations, a.detail(&all[i]))
	}
	api.WriteJSON(w, http.StatusOK, map[string]any{"conversations": conversations, "totalHits": len(all)})
}

// detail is a conversation as the details have it.
func (a *endpoints) detail(s *history.Session) any {
	channelType := a.Series[s.Series].ChannelType
	shift := a.Trouble.Now().Stamp(a.Series[s.Series].Region, 0)
	var participants []any
	for _, customer := range []bool{true, false} {
		id, reason := s.Channel, "peer"
		if !customer {
			id = id.Other(api.AgentLegID)
		} else if s.Ending != nil {
			reason = camel(s.Ending.Reason)
		}
		segment := map[string]any{
			"segmentStart": iso(s.Start + shift), "segmentType": "interact", "queueId": a.queueOf(s),
		}
		if s.End != 0 {
			segment["segmentEnd"], segment["disconnectType"] = iso(s.End+shift), reason
		}
		session := map[string]any{
			"sessionId": uuid(id.Other(api.CommunicationID)), "mediaType": mediaOf(channelType), "segments": []any{segment},
		}
		if mediaOf(channelType) == "message" {
			session["messageType"] = channelType
		}
		participant := map[string]any{"participantId": uuid(id), "purpose": "customer", "sessions": []any{session}}
		if !customer {
			participant["purpose"], participant["userId"] = "agent", a.Directory.Agent(s.User)
		}
		participants = append(participants, participant)
	}
	found := map[string]any{
		"conversationId": uuid(s.Channel.Other(api.ConversationID)), "conversationStart": iso(s.Start + shift), "participants": participants,
	}
	if s.End != 0 {
		found["conversationEnd"] = iso(s.End + shift)
	}
	return found
}

// camel is a reason as the details spell it.
func camel(reason string) string {
	first, rest, ok := strings.Cut(reason, ".")
	if !ok {
		return reason
	}
	return first + strings.ToUpper(rest[:1]) + rest[1:]
}

func uuid(id traffic.ID) string { return string(api.AppendUUID(nil, id)) }

func iso(at int64) string { return string(api.AppendISO(nil, at)) }
