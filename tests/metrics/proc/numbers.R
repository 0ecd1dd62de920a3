# Areas under ROC curves with DeLong's intervals and test, by pROC (Robin et al., BMC Bioinformatics 12 (2011) 77).
# Rscript numbers.R cases.csv numbers.csv
suppressMessages(library(pROC))
files <- commandArgs(trailingOnly = TRUE)
cases <- read.csv(files[1])
rows <- lapply(split(cases, cases$case), function(films) {
  of <- function(score) roc(films$label, score, levels = c(0, 1), direction = "<", quiet = TRUE)
  one <- of(films$score)
  other <- of(films$other)
  limits <- as.numeric(ci.auc(one, method = "delong"))
  ninety <- as.numeric(ci.auc(one, method = "delong", conf.level = 0.9))
  test <- roc.test(one, other, method = "delong", paired = TRUE)
  data.frame(
    case = films$case[1], auc = as.numeric(auc(one)), other = as.numeric(auc(other)),
    variance = var(one, method = "delong"), low = limits[1], high = limits[3], low_90 = ninety[1], high_90 = ninety[3],
    statistic = as.numeric(test$statistic), p_value = test$p.value,
    difference_low = test$conf.int[1], difference_high = test$conf.int[2]
  )
})
write.csv(format(do.call(rbind, rows), digits = 15), files[2], row.names = FALSE, quote = FALSE)
