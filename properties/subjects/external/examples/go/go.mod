module huskproof.example/subject

go 1.21
