// The stock: how much there is of everything, from PostgreSQL.
//
// Where the database is stands in the environment, set by the sidecar: SHOP_DATABASE_HOST and SHOP_DATABASE_PORT.
package main

import (
	"encoding/json"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
)

func main() {
	address := net.JoinHostPort(os.Getenv("SHOP_DATABASE_HOST"), os.Getenv("SHOP_DATABASE_PORT"))
	database := &Database{Address: address, User: "shop", Name: "postgres"}
	http.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "well") })
	http.HandleFunc("/stock", func(w http.ResponseWriter, _ *http.Request) {
		rows, err := database.Query("select name, amount from stock")
		if err != nil {
			answer(w, http.StatusBadGateway, err.Error())
			return
		}
		amounts := map[string]int{}
		for _, row := range rows {
			amounts[row[0]], _ = strconv.Atoi(row[1])
		}
		answer(w, http.StatusOK, amounts)
	})
	log.Fatal(http.ListenAndServe(os.Args[1], nil))
}

func answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("content-type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}
